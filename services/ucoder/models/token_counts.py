"""A model that counts what it draws, for whoever has a budget."""

from collections.abc import Sequence
from typing import Protocol

from ucoder.models.protocol import Completion, Draw


class Completer(Protocol):
    """A model as far as the stages need it: see `Model.complete`."""

    async def complete(
        self, model: str, prompt: str, *, n: int, draw: Draw, stop: Sequence[str] = (), seed: int = 0
    ) -> list[Completion]: ...


class TokenCounter:
    """Another model, and the tokens drawn through here."""

    def __init__(self, model: Completer) -> None:
        self._model = model
        self.tokens = 0
        """Tokens of the completions so far; prompts do not count."""

    async def complete(
        self, model: str, prompt: str, *, n: int, draw: Draw, stop: Sequence[str] = (), seed: int = 0
    ) -> list[Completion]:
        """The model's completions, counted."""
        found = await self._model.complete(model, prompt, n=n, draw=draw, stop=stop, seed=seed)
        self.tokens += sum(one.tokens for one in found)
        return found
