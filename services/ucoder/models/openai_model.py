"""The client of any server with OpenAI's completions API: vLLM, SGLang, llama.cpp and similar servers."""

import time
from collections.abc import Sequence
from typing import Any

from ucoder.errors import Misconfigured, NotFound, Retry
from ucoder.models.concurrency_limit import ConcurrencyLimit
from ucoder.models.protocol import Completion, Finish, SamplingParameters, TextScore
from ucoder.models.retrying_client import RetryingClient

MOST_PER_REQUEST = 128
"""Most completions of one request. More are split into several requests, which share the server's prefix cache."""
SEED_RANGE = 1 << 31
"""Every server accepts seeds below this."""


class OpenAIModel:
    """Completions and scores from one server. `model` is the name that the server gives a checkpoint."""

    def __init__(self, url: str, *, api_key: str = "", deadline_seconds: float = 600) -> None:
        self._http = RetryingClient(url, api_key=api_key, deadline_seconds=deadline_seconds)
        self._limit = ConcurrencyLimit()
        self._most_per_request = MOST_PER_REQUEST
        self.url = self._http.url

    async def complete(
        self, model: str, prompt: str, *, n: int, sampling: SamplingParameters, stop: Sequence[str] = (), seed: int = 0
    ) -> list[Completion]:
        """Generates completions as `protocol.Completer` says.

        With a stop string, servers count the whole last token and its log-probability.
        """
        completions: list[Completion] = []
        while (first := len(completions)) < n:
            count = min(self._most_per_request, n - first)
            body: dict[str, Any] = {
                "model": model,
                "prompt": prompt,
                "n": count,
                "temperature": sampling.temperature,
                "top_p": sampling.top_p,
                "max_tokens": sampling.max_tokens,
                "stop": list(stop) or None,
                "seed": (server_seed(seed) + first) % SEED_RANGE,
                "logprobs": 1,
            }
            choices = await self._choices({name: value for name, value in body.items() if value is not None})
            if len(choices) < count:  # a server with a lower maximum answers with fewer completions
                self._most_per_request = len(choices)
            choices.sort(key=lambda choice: choice.get("index", 0))
            completions += [self._completion(choice) for choice in choices[:count]]
        return completions

    async def score(self, model: str, text: str) -> TextScore:
        """Returns the log-probability of a text as `protocol.Model` says, from the server's echo of the text."""
        body = {"model": model, "prompt": text, "max_tokens": 1, "temperature": 0, "echo": True, "logprobs": 1}
        [choice] = await self._choices(body)
        first, *others = self._log_probs(choice)[:-1] or [0.0]
        log_probs = [log_prob for log_prob in others if log_prob is not None]
        if first is not None or not log_probs:  # an echoed text has no log-probability for its first token
            raise Misconfigured(f"{self.url}: does not echo prompts with log-probabilities, so it cannot score.")
        return TextScore(mean_log_prob=sum(log_probs) / len(log_probs), tokens=len(log_probs))

    async def load_adapter(self, name: str, folder: str) -> None:
        """Loads a LoRA adapter beside its base, under `name`. This is vLLM's own call, which must be enabled there.

        Raises Misconfigured when the server does not offer the call, Reject when it refuses this adapter.
        """
        try:
            await self._http.request("POST", "/load_lora_adapter", {"lora_name": name, "lora_path": folder})
        except NotFound as error:
            raise Misconfigured(
                f"{self.url}: loads no adapters while it runs ({error}). Start vLLM with --enable-lora and "
                "VLLM_ALLOW_RUNTIME_LORA_UPDATING=True, or train merged weights."
            ) from None

    async def served(self) -> list[str]:
        """Returns the models that the server lists."""
        answer = await self._http.request_json("GET", "/models")
        try:
            return [model["id"] for model in answer["data"]]
        except (KeyError, TypeError):
            raise self._unexpected_answer("/models") from None

    async def close(self) -> None:
        """Closes the connections."""
        await self._http.close()

    async def _choices(self, body: dict[str, Any]) -> list[dict[str, Any]]:
        """Asks for completions when the concurrency limit allows it, and tells the limit how that went."""
        async with self._limit.slot():
            started = time.perf_counter()
            try:
                answer = await self._http.request_json("POST", "/completions", body)
            except Retry:
                self._limit.record_refusal()
                raise
            usage = answer.get("usage") or {}
            # the completions of one request are sampled side by side, so it waits for the tokens of one of them
            tokens = (usage.get("completion_tokens") or body["max_tokens"]) / body.get("n", 1)
            self._limit.record_answer((time.perf_counter() - started) / max(1.0, tokens))
        if not isinstance(answer.get("choices"), list) or not answer["choices"]:
            raise self._unexpected_answer("/completions")
        return answer["choices"]  # type: ignore[no-any-return]

    def _completion(self, choice: dict[str, Any]) -> Completion:
        log_probs = [log_prob for log_prob in self._log_probs(choice) if log_prob is not None]
        mean = sum(log_probs) / len(log_probs) if log_probs else 0.0
        finish: Finish = "length" if choice.get("finish_reason") == "length" else "stop"
        return Completion(choice["text"], len(log_probs), mean, finish)

    def _log_probs(self, choice: dict[str, Any]) -> list[float | None]:
        """Returns the log-probability of each token; raises Misconfigured where the server sends none."""
        log_probs = choice.get("logprobs") or {}
        try:
            if "content" in log_probs:  # llama.cpp answers in the format of OpenAI's chat completions
                return [token["logprob"] for token in log_probs["content"]]
            return log_probs["token_logprobs"]  # type: ignore[no-any-return]
        except (KeyError, TypeError):
            raise Misconfigured(
                f"{self.url}: gives no log-probabilities with its completions; ucoder ranks programs by them."
            ) from None

    def _unexpected_answer(self, path: str) -> Misconfigured:
        return Misconfigured(f"{self.url}{path}: not an OpenAI-compatible answer.")


def server_seed(seed: int) -> int:
    """Returns the seed that is sent to a server for a request's seed, mixed by splitmix64.

    A server samples completion i with seed + i. The mixing puts neighbouring seeds far apart, because otherwise the
    completions of one request would repeat those of another.
    """
    mask = (1 << 64) - 1
    mixed = (seed + 0x9E3779B97F4A7C15) & mask
    mixed = ((mixed ^ (mixed >> 30)) * 0xBF58476D1CE4E5B9) & mask
    mixed = ((mixed ^ (mixed >> 27)) * 0x94D049BB133111EB) & mask
    return (mixed ^ (mixed >> 31)) % SEED_RANGE
