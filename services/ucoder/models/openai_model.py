"""The client of any server that speaks OpenAI's completions: vLLM, SGLang, llama.cpp and their kin."""

import time
from collections.abc import Sequence
from typing import Any, Literal

from ucoder.errors import Misconfigured, NotFound, Retry, UcoderError
from ucoder.models.concurrency_limit import ConcurrencyLimit
from ucoder.models.protocol import Completion, SamplingParameters, TextScore
from ucoder.models.retrying_client import RetryingClient

MOST_PER_REQUEST = 128
"""Completions of one request; more are asked for in several, which share the prompt's prefix in the server's cache."""
SEED_RANGE = 1 << 31
"""Servers take seeds of at least 31 bits."""


class OpenAIModel:
    """Completions from a server. `model` is what the server calls it."""

    def __init__(self, url: str, *, api_key: str = "", deadline_seconds: float = 600) -> None:
        self._server = RetryingClient(url, api_key=api_key, deadline_seconds=deadline_seconds)
        self._limit = ConcurrencyLimit()
        self._at_once = MOST_PER_REQUEST
        self.url = self._server.url

    async def complete(
        self, model: str, prompt: str, *, n: int, sampling: SamplingParameters, stop: Sequence[str] = (), seed: int = 0
    ) -> list[Completion]:
        """See `protocol.Model`. With a stop string, servers count the whole last token."""
        found: list[Completion] = []
        while (first := len(found)) < n:
            rows = min(self._at_once, n - first)
            asked: dict[str, Any] = {
                "model": model,
                "prompt": prompt,
                "n": rows,
                "temperature": sampling.temperature,
                "top_p": sampling.top_p,
                "max_tokens": sampling.max_tokens,
                "stop": list(stop) or None,
                "seed": (server_seed(seed) + first) % SEED_RANGE,
                "logprobs": 1,
            }
            choices = await self._choices({name: value for name, value in asked.items() if value is not None})
            if len(choices) < rows:  # servers that sample fewer at once say so in this way
                self._at_once = len(choices)
            choices.sort(key=lambda one: one.get("index", 0))
            found += [self._completion(choice) for choice in choices[:rows]]
        return found

    async def score(self, model: str, text: str) -> TextScore:
        """See `protocol.Model`: the server echoes the text with the log-probability of each token."""
        asked = {"model": model, "prompt": text, "max_tokens": 1, "temperature": 0, "echo": True, "logprobs": 1}
        [choice] = await self._choices(asked)
        first, *log_probs = self._log_probs(choice)[:-1] or [0.0]
        written = [one for one in log_probs if one is not None]
        if first is not None or not written:  # a text's first token has nothing before it to be judged by
            raise Misconfigured(
                f"{self._server.url}: does not echo prompts with log-probabilities, so it cannot score."
            )
        return TextScore(mean_log_prob=sum(written) / len(written), tokens=len(written))

    async def load_adapter(self, name: str, folder: str) -> None:
        """Loads a LoRA adapter beside its base, to be asked for as `name` (vLLM's call, off unless it is allowed).

        Raises Misconfigured when the server does not offer it, Reject when it will not take this one.
        """
        try:
            await self._server.tell("/load_lora_adapter", {"lora_name": name, "lora_path": folder})
        except NotFound as error:
            raise Misconfigured(
                f"{self.url}: loads no adapters while it runs ({error}). Start vLLM with --enable-lora and "
                "VLLM_ALLOW_RUNTIME_LORA_UPDATING=True, or train merged weights."
            ) from None

    async def served(self) -> list[str]:
        """What the server lists."""
        answer = await self._server.ask("GET", "/models")
        try:
            return [one["id"] for one in answer["data"]]
        except (KeyError, TypeError):
            raise self._strange("/models") from None

    async def close(self) -> None:
        """Ends the connections."""
        await self._server.close()

    async def _choices(self, asked: dict[str, Any]) -> list[dict[str, Any]]:
        async with self._limit.slot():
            started = time.perf_counter()
            try:
                answer = await self._server.ask("POST", "/completions", asked)
            except Retry:
                self._limit.refused()
                raise
            usage = answer.get("usage") or {}
            # n rows are drawn side by side, so a row's tokens are what a request waits for
            tokens = (usage.get("completion_tokens") or asked["max_tokens"]) / asked.get("n", 1)
            self._limit.answered((time.perf_counter() - started) / max(1.0, tokens))
        if not isinstance(answer.get("choices"), list) or not answer["choices"]:
            raise self._strange("/completions")
        return answer["choices"]  # type: ignore[no-any-return]

    def _completion(self, choice: dict[str, Any]) -> Completion:
        log_probs = [one for one in self._log_probs(choice) if one is not None]
        finish: Literal["stop", "length"] = "length" if choice.get("finish_reason") == "length" else "stop"
        mean = sum(log_probs) / len(log_probs) if log_probs else 0.0
        return Completion(choice["text"], len(log_probs), mean, finish)

    def _log_probs(self, choice: dict[str, Any]) -> list[float | None]:
        told = choice.get("logprobs") or {}
        try:
            if "content" in told:  # llama.cpp's way, as in OpenAI's chat answers
                return [one["logprob"] for one in told["content"]]
            return told["token_logprobs"]  # type: ignore[no-any-return]
        except (KeyError, TypeError):
            raise Misconfigured(
                f"{self._server.url}: gives no log-probabilities with its completions; ucoder ranks programs by them."
            ) from None

    def _strange(self, path: str) -> UcoderError:
        return Misconfigured(f"{self._server.url}{path}: not an OpenAI-compatible answer.")


def server_seed(seed: int) -> int:
    """A seed as a server gets it.

    A server draws completion i with seed + i. Neighbouring seeds are therefore sent far apart (splitmix64), or one
    request's completions would repeat another's.
    """
    mask = (1 << 64) - 1
    mixed = (seed + 0x9E3779B97F4A7C15) & mask
    mixed = ((mixed ^ (mixed >> 30)) * 0xBF58476D1CE4E5B9) & mask
    mixed = ((mixed ^ (mixed >> 27)) * 0x94D049BB133111EB) & mask
    return (mixed ^ (mixed >> 31)) % SEED_RANGE
