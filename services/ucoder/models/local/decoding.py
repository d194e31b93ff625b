"""Continuous batching for a transformers model: rows of any request join and leave the batch while it runs.

A prompt is computed once for its n rows. The random numbers of a row depend on (seed, its index) alone, so the same
request gives the same text whatever runs beside it, except for rounding: matrix products of another batch size differ
in the last bit of a float, and about one row in several thousand samples another token for that reason.
"""

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import torch

from ucoder.errors import Reject
from ucoder.models.local.kv_cache import empty_cache, gather_rows
from ucoder.models.local.loaded_model import LoadedModel
from ucoder.models.local.token_sampling import random_numbers, sample_tokens
from ucoder.models.protocol import Completion, Finish, SamplingParameters, TextScore

MOST_WAITING_STEPS = 16
"""New rows wait until a quarter of the batch is free, but no longer than this: joining them copies the cache."""
CACHE_BYTES = 2 << 30
"""Most memory for keys and values; it bounds the number of rows unless the model is tiny."""


@dataclass(frozen=True, slots=True)
class DecodeRequest:
    """Rows `first` to `first + rows - 1` of a completion request."""

    key: int
    prompt: tuple[int, ...]
    first: int
    rows: int
    sampling: SamplingParameters
    stop: tuple[str, ...]
    seed: int


@dataclass(slots=True)
class _Row:
    request: DecodeRequest
    index: int
    uniform: Callable[[], float]
    """The stream of random numbers that the row's tokens are sampled with."""
    tokens: list[int] = field(default_factory=list)
    log_prob: float = 0.0
    tail: str = ""
    """The last characters of the text, where a stop string may just have ended."""


class Decoder:
    """The running batch of one checkpoint."""

    def __init__(self, checkpoint: LoadedModel, max_rows: int = 128) -> None:
        self.checkpoint, self._max_rows = checkpoint, max_rows
        self._device = checkpoint.model.device
        self._waiting: deque[DecodeRequest] = deque()
        self._rows: list[_Row | None] = []  # None: a finished row that is still in the batch
        self._completions: dict[int, list[Completion | None]] = {}  # of each unfinished request, by its key
        self._steps = 0  # since rows last joined or left
        self._cache: Any = None
        self._token_texts: dict[int, str] = {}
        self._lengths: list[int] = []  # tokens of each row, prompt included
        self._columns = 0  # of the cache
        self._starts = self._logits = self._temperature = self._top_p = torch.empty(0)

    @property
    def busy(self) -> bool:
        """True while any request is unfinished."""
        return bool(self._waiting) or any(self._rows)

    def add(self, request: DecodeRequest) -> None:
        """Queues a request; its rows join the batch at one of the next steps."""
        self._waiting.append(request)
        self._completions[request.key] = [None] * request.rows

    def drop(self, key: int) -> None:
        """Removes a request; its rows cost nothing from the next joining of rows on."""
        self._waiting = deque(request for request in self._waiting if request.key != key)
        self._rows = [None if row and row.request.key == key else row for row in self._rows]
        self._completions.pop(key, None)

    @torch.inference_mode()
    def step(self) -> list[tuple[int, list[Completion]]]:
        """Generates one token for every row; returns the requests that are complete now, with their keys."""
        unfinished = sum(row is not None for row in self._rows)
        if not unfinished and not self._waiting:
            self._rows, self._cache = [], None
            return []
        if unfinished <= len(self._rows) * 3 // 4 or (self._waiting and self._steps >= MOST_WAITING_STEPS):
            joining = list(self._take_waiting(unfinished))
            if joining or unfinished < len(self._rows):
                self._rebuild_batch(joining)
                self._steps = 0
        self._steps += 1
        tokens, log_probs = sample_tokens(self._logits, self._temperature, self._top_p, self._uniform())
        complete = self._record(tokens.tolist(), log_probs.tolist())
        if any(self._rows):
            self._forward(tokens)
        return complete

    @torch.inference_mode()
    def score(self, text: str) -> TextScore:
        """Returns the log-probability of a text, each token given those before it. Raises Reject for a wrong length."""
        ids = self.checkpoint.tokenizer(text)["input_ids"]
        if not 2 <= len(ids) <= self.checkpoint.context:
            raise Reject(f"a text of {len(ids)} tokens cannot be scored: 2 to {self.checkpoint.context} can.")
        tokens = torch.tensor([ids], device=self._device)
        logits = self.checkpoint.model(input_ids=tokens, use_cache=False).logits[0, :-1].float()
        log_probs = torch.log_softmax(logits, -1).gather(-1, tokens[0, 1:, None])
        return TextScore(mean_log_prob=log_probs.double().mean().item(), tokens=len(ids) - 1)

    def _take_waiting(self, unfinished: int) -> Iterator[DecodeRequest]:
        """Yields requests from the front of the queue that fit beside the unfinished rows; an empty batch takes any."""
        while self._waiting:
            request = self._waiting[0]
            if unfinished and unfinished + request.rows > self._most_rows(request):
                return
            unfinished += request.rows
            yield self._waiting.popleft()

    def _most_rows(self, request: DecodeRequest) -> int:
        """Returns the number of rows of this length for which the cache has memory."""
        config = self.checkpoint.model.config
        heads = getattr(config, "num_key_value_heads", None) or config.num_attention_heads
        width = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
        column_bytes = 2 * config.num_hidden_layers * heads * width * self.checkpoint.model.dtype.itemsize
        row_bytes = column_bytes * (len(request.prompt) + request.sampling.max_tokens)
        return min(self._max_rows, int(CACHE_BYTES // row_bytes))

    def _rebuild_batch(self, joining: list[DecodeRequest]) -> None:
        """Makes a batch of the unfinished rows and of the rows of the joining requests."""
        kept = [place for place, row in enumerate(self._rows) if row]
        rows: list[_Row | None] = [self._rows[place] for place in kept]
        lengths = [self._lengths[place] for place in kept]
        sources, logits = [], []
        if kept:
            places = torch.tensor(kept, device=self._device)
            sources.append((self._cache, places))
            logits.append(self._logits.index_select(0, places))
        if joining:
            prompts = list(dict.fromkeys(request.prompt for request in joining))
            place_of = {prompt: place for place, prompt in enumerate(prompts)}
            cache, first_logits = self._prefill(prompts)
            repeated = [place_of[request.prompt] for request in joining for _ in range(request.rows)]
            places = torch.tensor(repeated, device=self._device)
            sources.append((cache, places))
            logits.append(first_logits.index_select(0, places))
            for request in joining:
                for index in range(request.first, request.first + request.rows):
                    rows.append(_Row(request, index, random_numbers(request.seed, index)))
                    lengths.append(len(request.prompt))
        self._rows, self._lengths, self._logits = rows, lengths, torch.cat(logits)
        self._columns = max(lengths)
        self._cache = gather_rows(sources, self._columns)
        samplings = [row.request.sampling for row in rows if row]
        self._starts = torch.tensor([self._columns - length for length in lengths], device=self._device)
        self._temperature = torch.tensor([sampling.temperature for sampling in samplings], device=self._device)
        self._top_p = torch.tensor([sampling.top_p for sampling in samplings], device=self._device)

    def _prefill(self, prompts: list[tuple[int, ...]]) -> tuple[Any, torch.Tensor]:
        """Returns the cache of the prompts, padded on the left, and the logits of the token after each."""
        longest = max(map(len, prompts))
        ids = torch.tensor([[0] * (longest - len(prompt)) + list(prompt) for prompt in prompts], device=self._device)
        starts = torch.tensor([longest - len(prompt) for prompt in prompts], device=self._device)
        columns = torch.arange(longest, device=self._device)
        cache = empty_cache(self.checkpoint.model.config.num_hidden_layers)
        answer = self.checkpoint.model(
            input_ids=ids, attention_mask=columns >= starts[:, None], past_key_values=cache, logits_to_keep=1,
            position_ids=(columns - starts[:, None]).clamp(min=0),
        )  # fmt: skip
        return cache, answer.logits[:, -1].float()

    def _forward(self, tokens: torch.Tensor) -> None:
        """Computes the next logits after the sampled tokens. Finished rows are computed too until the next rebuild."""
        self._columns += 1
        columns = torch.arange(self._columns, device=self._device)
        self._logits = self.checkpoint.model(
            input_ids=tokens[:, None], attention_mask=columns >= self._starts[:, None], past_key_values=self._cache,
            position_ids=(self._columns - 1 - self._starts)[:, None],
        ).logits[:, -1].float()  # fmt: skip
        self._lengths = [length + 1 for length in self._lengths]

    def _uniform(self) -> torch.Tensor:
        """Returns the next random number of each row; greedy and finished rows need none."""
        numbers = [row.uniform() if row and row.request.sampling.temperature else 0.0 for row in self._rows]
        return torch.tensor(numbers, dtype=torch.float32, device=self._device)

    def _record(self, tokens: list[int], log_probs: list[float]) -> list[tuple[int, list[Completion]]]:
        """Appends a token to each row, ends the rows that are finished, returns the requests that are complete."""
        complete = []
        for place, row in enumerate(self._rows):
            if row is None:
                continue
            row.tokens.append(tokens[place])
            row.log_prob += log_probs[place]
            finish = self._finish_of(row)
            if finish is None:
                continue
            self._rows[place] = None
            key = row.request.key
            completions = self._completions[key]
            completions[row.index - row.request.first] = self._completion(row, finish)
            if all(completions):
                del self._completions[key]
                complete.append((key, [completion for completion in completions if completion]))
        return complete

    def _finish_of(self, row: _Row) -> Finish | None:
        """Returns why a row is finished; None while it is not."""
        token, request = row.tokens[-1], row.request
        if token in self.checkpoint.end_tokens:
            return "stop"
        if request.stop:
            if token not in self._token_texts:
                self._token_texts[token] = self.checkpoint.tokenizer.decode([token])
            text = self._token_texts[token]
            row.tail = (row.tail + text)[-max(map(len, request.stop)) - len(text) :]
            if any(stop in row.tail for stop in request.stop):
                return "stop"
        most = min(request.sampling.max_tokens, self.checkpoint.context - len(request.prompt))
        return "length" if len(row.tokens) >= most else None

    def _completion(self, row: _Row, finish: Finish) -> Completion:
        ended = row.tokens[-1] in self.checkpoint.end_tokens
        tokens = row.tokens[:-1] if ended else row.tokens
        text = self.checkpoint.tokenizer.decode(tokens, skip_special_tokens=True)
        cuts = [place for place in map(text.find, row.request.stop) if place >= 0]
        if cuts:
            text, finish = text[: min(cuts)], "stop"
        return Completion(text, len(row.tokens), row.log_prob / len(row.tokens), finish)
