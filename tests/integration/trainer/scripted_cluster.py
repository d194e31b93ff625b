"""A training in a scripted cluster: the calls of its trainer, and the states of its pods, which a test sets."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

from tests.integration.api_server import ApiServer

from ucoder.runtime.kubernetes_api import Object, ResourceKind
from ucoder.runtime.settings import Settings
from ucoder.runtime.storage.store import Store
from ucoder.trainer.kubernetes_job import KubernetesJobs
from ucoder.trainer.training_job import TrainingResult
from ucoder.v1 import artifacts_pb2 as pb
from ucoder.v1.trainer_pb2 import TrainingProgress

JOBS = ResourceKind("batch/v1", "jobs")
POLL_SECONDS = 0.05


class ClusterTraining:
    """A sealed dataset in a store, and a cluster that trains on it."""

    def __init__(self, server: ApiServer, settings: Settings, dataset: pb.Dataset) -> None:
        self.server, self.settings, self.dataset = server, settings, dataset
        self.store = Store(settings)
        self.progress: list[TrainingProgress] = []

    @property
    def jobs(self) -> KubernetesJobs:
        """The trainer's side, under the settings of this moment."""
        return KubernetesJobs(self.settings, self.store, POLL_SECONDS)

    async def train(self) -> TrainingResult:
        return await self.jobs.train(self.dataset, self.progress.append)

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

    async def train_unsuspended(self) -> TrainingResult:
        """Trains in a cluster without a queue."""
        self.server.react = lambda one: one["spec"].update(suspend=False)
        return await self.train()

    def set_patience(self, seconds: float) -> None:
        self.settings = self.settings.model_copy(update={"training_silence_seconds": seconds})

    @contextlib.asynccontextmanager
    async def followed(
        self, submissions: int = 1, plural: str = JOBS.plural
    ) -> AsyncIterator[asyncio.Task[TrainingResult]]:
        """Runs a trainer that has submitted the Job, and cancels it at the end; the Job stays."""
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
