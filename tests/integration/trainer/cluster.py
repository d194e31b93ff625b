"""A training in a scripted cluster: what its trainer asks, and what becomes of its pods."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

from tests.integration.api_server import ApiServer

from ucoder.runtime.kubernetes_api import Object, ResourceKind
from ucoder.runtime.settings import Settings
from ucoder.runtime.storage.store import Store
from ucoder.trainer.kubernetes_job import train
from ucoder.trainer.training_job import TrainingProgress
from ucoder.v1 import artifacts_pb2 as pb

JOBS = ResourceKind("batch/v1", "jobs")
LOOK = 0.05


class Training:
    """A sealed dataset in a store, and a cluster that is asked to train on it."""

    def __init__(self, server: ApiServer, settings: Settings, dataset: pb.Dataset) -> None:
        self.server, self.settings, self.dataset = server, settings, dataset
        self.store = Store(settings)
        self.moments: list[TrainingProgress] = []

    async def train(self) -> tuple[pb.TrainingSummary, float]:
        return await train(self.settings, self.store, self.dataset, self.moments.append, LOOK)

    def job(self) -> Object:
        [one] = [one for (kind, _), one in self.server.objects.items() if kind == JOBS]
        return one

    def pod(self, **status: Any) -> str:
        name = self.job()["metadata"]["name"] + "-pod"
        self.server.pod(name, {"job-name": self.job()["metadata"]["name"]}, **status)
        return name

    def fail(self, reason: str = "BackoffLimitExceeded") -> None:
        condition = {"type": "Failed", "status": "True", "reason": reason, "message": ""}
        self.server.put({**self.job(), "status": {"conditions": [condition]}})

    async def unsuspended(self) -> tuple[pb.TrainingSummary, float]:
        """Trains in a cluster without a queue."""
        self.server.react = lambda one: one["spec"].update(suspend=False)
        return await self.train()

    def patience(self, seconds: float) -> None:
        self.settings = self.settings.model_copy(update={"training_silence_seconds": seconds})

    @contextlib.asynccontextmanager
    async def followed(
        self, submissions: int = 1, plural: str = JOBS.plural
    ) -> AsyncIterator[asyncio.Task[tuple[pb.TrainingSummary, float]]]:
        """A trainer that has asked for the Job, and is gone at the end: the Job is not."""
        task = asyncio.create_task(self.train())
        try:
            await self.until_submitted(submissions, plural)
            yield task
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def until_submitted(self, times: int = 1, plural: str = JOBS.plural) -> None:
        async with asyncio.timeout(30):
            while self.server.calls.count(("create", plural, "")) < times:
                await asyncio.sleep(0.02)
