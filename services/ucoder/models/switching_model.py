"""A model server that is switched to the checkpoint of each request, so that no other weights ever answer it."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence

from ucoder.errors import NotFound, Retry
from ucoder.models.openai_model import OpenAIModel
from ucoder.models.protocol import Completion, SamplingParameters, TextScore
from ucoder.models.serving import ModelServer
from ucoder.models.serving.lora_adapters import LoraAdapters
from ucoder.models.weights_probe import PROBE_TEXT, check_log_prob

TrainedLogProb = Callable[[str], Awaitable[float | None]]
"""Returns the probe's log-probability as a checkpoint's trainer measured it; None for weights not trained here."""


class SwitchingModel:
    """Completions from a model server, with the checkpoint that each request names.

    Where the server holds one checkpoint at a time, a request for another one waits until no request for the present
    one is under way, and then has it switched. After each switch the probe text is scored and compared with the
    trainer's measurement or, for a base model, with its own earlier score.
    """

    def __init__(self, client: OpenAIModel, server: ModelServer, trained_log_prob: TrainedLogProb) -> None:
        self.reads_folders, self.exclusive = server.reads_folders, server.exclusive
        self.url = server.url
        self._client, self._server, self._trained_log_prob = client, server, trained_log_prob
        self._adapters = LoraAdapters(client)
        self._probe_scores: dict[str, float] = {}
        self._current = ""
        self._under_way = 0
        self._changed = asyncio.Condition()

    async def complete(
        self, model: str, prompt: str, *, n: int, sampling: SamplingParameters, stop: Sequence[str] = (), seed: int = 0
    ) -> list[Completion]:
        """Generates completions as `protocol.Completer` says."""
        async with self._loaded(model):
            return await self._client.complete(model, prompt, n=n, sampling=sampling, stop=stop, seed=seed)

    async def score(self, model: str, text: str) -> TextScore:
        """Returns the log-probability of a text as `protocol.Model` says."""
        async with self._loaded(model):
            return await self._client.score(model, text)

    async def serve(self, model: str) -> None:
        """Loads and verifies a checkpoint as `protocol.Model` says."""
        if not self.exclusive and self._adapters.base_of(model) == model:
            await self._server.switch(model)
            await self._verify(model)
        async with self._loaded(model):
            pass

    @property
    def under_way(self) -> int:
        """The number of requests that the server works on now; none while it is being switched."""
        return self._under_way

    async def served(self) -> list[str]:
        """Returns the checkpoints that the server lists; none while it is down."""
        return await self._client.served() if self._server.up else []

    async def close(self) -> None:
        """Closes the connections and stops a server that was started here."""
        await self._client.close()
        await self._server.close()

    @contextlib.asynccontextmanager
    async def _loaded(self, model: str) -> AsyncIterator[None]:
        """Loads a checkpoint where it is not loaded, and keeps it loaded while the block runs."""
        async with self._changed:
            if self.exclusive:
                await self._switch(self._adapters.base_of(model))
            if await self._adapters.load(model):
                await self._verify(model)
            self._under_way += 1
        try:
            yield
        except NotFound as error:
            if not self.exclusive:
                raise
            self._current = ""  # another client switched the server, so the next attempt must switch it back
            raise Retry(f"{self.url} serves another checkpoint now: {error}") from None
        finally:
            async with self._changed:
                self._under_way -= 1
                self._changed.notify_all()

    async def _switch(self, model: str) -> None:
        """Switches the server when no request for another checkpoint is under way; restarts a dead server at once."""
        await self._changed.wait_for(lambda: self._current == model or not self._under_way or not self._server.up)
        if self._current == model and self._server.up:
            return
        self._current = ""
        self._adapters.forget()
        await self._server.switch(model)
        await self._verify(model)
        self._current = model

    async def _verify(self, model: str) -> None:
        """Raises Retry when the server's weights are not those whose score is known."""
        expected = await self._trained_log_prob(model)
        if expected is None:
            expected = self._probe_scores.get(model)
        if expected is None and not self.exclusive:
            return  # the weights were not trained here, and a server that is not ours may be unable to score
        score = (await self._client.score(model, PROBE_TEXT)).mean_log_prob
        check_log_prob(model, score, expected)
        self._probe_scores[model] = score
