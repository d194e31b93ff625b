"""A wrapper around a model that counts the sampled tokens, for callers that have a token budget."""

from collections.abc import Sequence

from ucoder.models.protocol import Completer, Completion, SamplingParameters


class TokenCounter:
    """A model that passes every call on and adds up the tokens of the completions."""

    def __init__(self, model: Completer) -> None:
        self._model = model
        self.tokens = 0
        """Tokens of all completions so far; prompts do not count."""

    async def complete(
        self, model: str, prompt: str, *, n: int, sampling: SamplingParameters, stop: Sequence[str] = (), seed: int = 0
    ) -> list[Completion]:
        """Generates completions as `protocol.Completer` says, and counts their tokens."""
        completions = await self._model.complete(model, prompt, n=n, sampling=sampling, stop=stop, seed=seed)
        self.tokens += sum(completion.tokens for completion in completions)
        return completions
