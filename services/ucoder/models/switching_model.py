"""A model server together with who decides what it serves: no request ever meets other weights than it named."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence

from ucoder.errors import NotFound, Retry
from ucoder.models.openai_model import OpenAIModel
from ucoder.models.protocol import Completion, SamplingParameters, TextScore
from ucoder.models.serving import ModelServer
from ucoder.models.serving.lora_adapters import LoraAdapters
from ucoder.models.weights_probe import PROBE_TEXT, check_log_prob

ExpectedLogProb = Callable[[str], Awaitable[float | None]]
"""The probe's log-probability under a checkpoint as its trainer measured it; None for weights not trained here."""


class SwitchingModel:
    """Completions from the server of a host.

    Where the server holds one checkpoint at a time, a request for another one waits until nothing of the present one
    is under way, then has it switched; after every switch the probe is scored and compared with the trainer's, or for
    a base with what it scored before.
    """

    def __init__(self, client: OpenAIModel, host: ModelServer, measured: ExpectedLogProb) -> None:
        self.folders, self.exclusive = host.folders, host.exclusive
        self.url = host.url
        self._client, self._host, self._measured = client, host, measured
        self._adapters = LoraAdapters(client)
        self._scores: dict[str, float] = {}
        self._current = ""
        self._under_way = 0
        self._turn = asyncio.Condition()

    async def complete(
        self, model: str, prompt: str, *, n: int, sampling: SamplingParameters, stop: Sequence[str] = (), seed: int = 0
    ) -> list[Completion]:
        """See `protocol.Model`."""
        async with self._answering(model):
            return await self._client.complete(model, prompt, n=n, sampling=sampling, stop=stop, seed=seed)

    async def score(self, model: str, text: str) -> TextScore:
        """See `protocol.Model`."""
        async with self._answering(model):
            return await self._client.score(model, text)

    async def serve(self, model: str) -> None:
        """See `protocol.Model`."""
        if not self.exclusive and self._adapters.base_of(model) == model:
            await self._host.switch(model)
            await self._prove(model)
        async with self._answering(model):
            pass

    async def served(self) -> list[str]:
        """See `protocol.Model`. Nothing while the server is down."""
        return await self._client.served() if self._host.up else []

    async def close(self) -> None:
        """See `protocol.Model`."""
        await self._client.close()
        await self._host.close()

    @contextlib.asynccontextmanager
    async def _answering(self, model: str) -> AsyncIterator[None]:
        """While the block runs, `model` answers."""
        async with self._turn:
            if self.exclusive:
                await self._switch(self._adapters.base_of(model))
            if await self._adapters.load(model):
                await self._prove(model)
            self._under_way += 1
        try:
            yield
        except NotFound as error:
            if not self.exclusive:
                raise
            self._current = ""  # somebody else changed what it serves: look again at the next attempt
            raise Retry(f"{self.url} serves something else now: {error}") from None
        finally:
            async with self._turn:
                self._under_way -= 1
                self._turn.notify_all()

    async def _switch(self, model: str) -> None:
        """Has the host serve `model`, when it is nobody's loss. A dead server is started again at once."""
        await self._turn.wait_for(lambda: self._current == model or not self._under_way or not self._host.up)
        if self._current == model and self._host.up:
            return
        self._current = ""
        self._adapters.forget()
        await self._host.switch(model)
        await self._prove(model)
        self._current = model

    async def _prove(self, model: str) -> None:
        """Raises Retry when other weights answer than the ones that were measured."""
        expected = await self._measured(model)
        if expected is None:
            expected = self._scores.get(model)
        if expected is None and not self.exclusive:
            return  # somebody else's weights, and his server may not score
        found = (await self._client.score(model, PROBE_TEXT)).mean_log_prob
        check_log_prob(model, found, expected)
        self._scores[model] = found
