"""Batched sampling from a transformers model: rows of any request join and leave the batch while it runs.

A prompt is computed once for its n rows. A row's random numbers depend on (seed, its index) alone, so the same
request gives the same text whatever runs beside it, up to what the last bit of a float may tip: matrix products of
another batch size round otherwise, and about one row in several thousand draws another token for it.
"""

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Literal

import torch

from ucoder.errors import Reject
from ucoder.models.local import kv_cache
from ucoder.models.local.loaded_model import LoadedModel
from ucoder.models.local.token_sampling import draw_tokens, random_numbers
from ucoder.models.protocol import Completion, SamplingParameters, TextScore

PATIENCE = 16
"""Steps that new rows wait at most for a quarter of the batch to be free: letting them in copies the cache."""
CACHE_BYTES = 2 << 30
"""What keys and values may take; it bounds the rows of models that are not tiny."""


@dataclass(frozen=True, slots=True)
class DecodeRequest:
    """Rows `first` to `first + rows - 1` of one request."""

    key: int
    prompt: tuple[int, ...]
    first: int
    rows: int
    sampling: SamplingParameters
    stop: tuple[str, ...]
    seed: int


@dataclass(slots=True)
class _Row:
    ask: DecodeRequest
    index: int
    uniform: Callable[[], float]
    ids: list[int] = field(default_factory=list)
    log_prob: float = 0.0
    tail: str = ""
    """The last characters, where a stop string may just have ended."""


class Decoder:
    """The running batch of one checkpoint."""

    def __init__(self, checkpoint: LoadedModel, max_rows: int = 128) -> None:
        self._checkpoint, self._max_rows = checkpoint, max_rows
        self._device = checkpoint.model.device
        self._waiting: deque[DecodeRequest] = deque()
        self._rows: list[_Row | None] = []  # None: finished, still in the batch
        self._done: dict[int, list[Completion | None]] = {}
        self._steps = 0  # since rows last joined or left
        self._cache: Any = None
        self._pieces: dict[int, str] = {}
        self._seen: list[int] = []  # tokens of each row, prompt included
        self._length = 0  # columns of the cache
        self._start = self._logits = self._temperature = self._top_p = torch.empty(0)

    @property
    def busy(self) -> bool:
        """Whether anything is left to do."""
        return bool(self._waiting) or any(self._rows)

    def add(self, ask: DecodeRequest) -> None:
        """Takes rows in at one of the next steps."""
        self._waiting.append(ask)
        self._done[ask.key] = [None] * ask.rows

    def drop(self, key: int) -> None:
        """Forgets an ask; its rows cost nothing from the next step on."""
        self._waiting = deque(ask for ask in self._waiting if ask.key != key)
        self._rows = [None if row and row.ask.key == key else row for row in self._rows]
        self._done.pop(key, None)

    @torch.inference_mode()
    def step(self) -> list[tuple[int, list[Completion]]]:
        """One token for every row; returns the asks that are complete now, by key."""
        alive = sum(row is not None for row in self._rows)
        if not alive and not self._waiting:
            self._rows, self._cache = [], None
            return []
        if alive <= len(self._rows) * 3 // 4 or (self._waiting and self._steps >= PATIENCE):
            joining = list(self._joining(alive))
            if joining or alive < len(self._rows):
                self._gather(joining)
                self._steps = 0
        self._steps += 1
        ids, log_probs = draw_tokens(self._logits, self._temperature, self._top_p, self._uniform())
        finished = self._record(ids.tolist(), log_probs.tolist())
        if any(self._rows):
            self._forward(ids)
        return finished

    @torch.inference_mode()
    def score(self, text: str) -> TextScore:
        """The log-probability of a text, each token given those before it."""
        ids = self._checkpoint.tokenizer(text)["input_ids"]
        if not 2 <= len(ids) <= self._checkpoint.context:
            raise Reject(f"a text of {len(ids)} tokens cannot be scored: 2 to {self._checkpoint.context} can.")
        tokens = torch.tensor([ids], device=self._device)
        logits = self._checkpoint.model(input_ids=tokens, use_cache=False).logits[0, :-1].float()
        log_probs = torch.log_softmax(logits, -1).gather(-1, tokens[0, 1:, None])
        return TextScore(mean_log_prob=log_probs.double().mean().item(), tokens=len(ids) - 1)

    def _joining(self, alive: int) -> Iterator[DecodeRequest]:
        """Asks from the front of the queue that fit; one always does in an empty batch."""
        while self._waiting:
            ask = self._waiting[0]
            if alive and alive + ask.rows > self._room(ask):
                return
            alive += ask.rows
            yield self._waiting.popleft()

    def _room(self, ask: DecodeRequest) -> int:
        """Most rows beside rows like these."""
        config = self._checkpoint.model.config
        heads = getattr(config, "num_key_value_heads", None) or config.num_attention_heads
        width = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
        column = 2 * config.num_hidden_layers * heads * width * self._checkpoint.model.dtype.itemsize
        return min(self._max_rows, int(CACHE_BYTES // (column * (len(ask.prompt) + ask.sampling.max_tokens))))

    def _gather(self, asks: list[DecodeRequest]) -> None:
        """Leaves finished rows behind and lets the rows of `asks` in."""
        keep = [at for at, row in enumerate(self._rows) if row]
        rows: list[_Row | None] = [self._rows[at] for at in keep]
        seen = [self._seen[at] for at in keep]
        sources, logits = [], []
        if keep:
            index = torch.tensor(keep, device=self._device)
            sources.append((self._cache, index))
            logits.append(self._logits.index_select(0, index))
        if asks:
            prompts = list(dict.fromkeys(ask.prompt for ask in asks))
            at = {prompt: number for number, prompt in enumerate(prompts)}
            cache, first = self._prefill(prompts)
            spread = torch.tensor([at[ask.prompt] for ask in asks for _ in range(ask.rows)], device=self._device)
            sources.append((cache, spread))
            logits.append(first.index_select(0, spread))
            for ask in asks:
                for index_ in range(ask.first, ask.first + ask.rows):
                    rows.append(_Row(ask, index_, random_numbers(ask.seed, index_)))
                    seen.append(len(ask.prompt))
        self._rows, self._seen, self._logits = rows, seen, torch.cat(logits)
        self._length = max(seen)
        self._cache = kv_cache.gathered(sources, self._length)
        asked = [row.ask.sampling for row in rows if row]
        self._start = torch.tensor([self._length - count for count in seen], device=self._device)
        self._temperature = torch.tensor([sampling.temperature for sampling in asked], device=self._device)
        self._top_p = torch.tensor([sampling.top_p for sampling in asked], device=self._device)

    def _prefill(self, prompts: list[tuple[int, ...]]) -> tuple[Any, torch.Tensor]:
        """The cache of the prompts, padded on the left, and the logits of the token after each."""
        longest = max(map(len, prompts))
        ids = torch.tensor([[0] * (longest - len(prompt)) + list(prompt) for prompt in prompts], device=self._device)
        start = torch.tensor([longest - len(prompt) for prompt in prompts], device=self._device)
        columns = torch.arange(longest, device=self._device)
        cache = kv_cache.empty(self._checkpoint.model.config.num_hidden_layers)
        answer = self._checkpoint.model(
            input_ids=ids, attention_mask=columns >= start[:, None], past_key_values=cache, logits_to_keep=1,
            position_ids=(columns - start[:, None]).clamp(min=0),
        )  # fmt: skip
        return cache, answer.logits[:, -1].float()

    def _forward(self, ids: torch.Tensor) -> None:
        """Feeds each row the token it drew. Rows that have finished compute along until the next gathering."""
        self._length += 1
        columns = torch.arange(self._length, device=self._device)
        self._logits = self._checkpoint.model(
            input_ids=ids[:, None], attention_mask=columns >= self._start[:, None], past_key_values=self._cache,
            position_ids=(self._length - 1 - self._start)[:, None],
        ).logits[:, -1].float()  # fmt: skip
        self._seen = [count + 1 for count in self._seen]

    def _uniform(self) -> torch.Tensor:
        numbers = [row.uniform() if row and row.ask.sampling.temperature else 0.0 for row in self._rows]
        return torch.tensor(numbers, dtype=torch.float32, device=self._device)

    def _record(self, ids: list[int], log_probs: list[float]) -> list[tuple[int, list[Completion]]]:
        """Notes what each row drew, ends the rows that are done, returns the asks that are complete."""
        complete = []
        for at, row in enumerate(self._rows):
            if row is None:
                continue
            row.ids.append(ids[at])
            row.log_prob += log_probs[at]
            finish = self._finish(row, ids[at])
            if finish is None:
                continue
            self._rows[at] = None
            answers = self._done[row.ask.key]
            answers[row.index - row.ask.first] = self._completion(row, finish)
            if all(answers):
                del self._done[row.ask.key]
                complete.append((row.ask.key, [answer for answer in answers if answer]))
        return complete

    def _finish(self, row: _Row, token: int) -> Literal["stop", "length"] | None:
        if token in self._checkpoint.ends:
            return "stop"
        if row.ask.stop:
            if token not in self._pieces:
                self._pieces[token] = self._checkpoint.tokenizer.decode([token])
            row.tail = (row.tail + self._pieces[token])[-max(map(len, row.ask.stop)) - len(self._pieces[token]) :]
            if any(stop in row.tail for stop in row.ask.stop):
                return "stop"
        room = min(row.ask.sampling.max_tokens, self._checkpoint.context - len(row.ask.prompt))
        return "length" if len(row.ids) >= room else None

    def _completion(self, row: _Row, finish: Literal["stop", "length"]) -> Completion:
        ended = row.ids[-1] in self._checkpoint.ends
        text = self._checkpoint.tokenizer.decode(row.ids[:-1] if ended else row.ids, skip_special_tokens=True)
        cuts = [at for at in map(text.find, row.ask.stop) if at >= 0]
        if cuts:
            text, finish = text[: min(cuts)], "stop"
        return Completion(text, len(row.ids), row.log_prob / len(row.ids), finish)
