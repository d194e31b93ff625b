"""A model that counts what it draws, for whoever has a budget."""

from collections.abc import Sequence

from ucoder.models.protocol import Completion, Draw, Model, Scored


class Metered:
    """Another model, and the tokens drawn through here."""

    def __init__(self, model: Model) -> None:
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

    async def score(self, model: str, text: str) -> Scored:
        """The model's answer."""
        return await self._model.score(model, text)

    async def serve(self, model: str) -> None:
        """The model's answer."""
        await self._model.serve(model)

    async def served(self) -> list[str]:
        """The model's answer."""
        return await self._model.served()

    async def close(self) -> None:
        """Whoever opened the model closes it."""
