"""TrainerService, and what its arrow uses: fine-tuning for as long as the run continues."""

import asyncio
import contextlib
import shutil
from collections.abc import AsyncIterator, Callable, Coroutine
from pathlib import Path
from typing import Any

import structlog

from ucoder.errors import NotFound, Retry, UcoderError, Unwanted
from ucoder.runtime.context import ServiceContext
from ucoder.runtime.messaging.progress_events import publish_training_progress
from ucoder.runtime.storage.artifacts import name_of
from ucoder.trainer.kubernetes_job import KubernetesJobs
from ucoder.trainer.training_examples import prepare_job, trained_weights
from ucoder.trainer.training_job import TrainingResult
from ucoder.trainer.training_process import train
from ucoder.v1 import artifacts_pb2 as pb
from ucoder.v1 import trainer_pb2, trainer_pb2_grpc
from ucoder.v1.trainer_pb2 import TrainingProgress

log = structlog.get_logger()
NAME = trainer_pb2.DESCRIPTOR.services_by_name["TrainerService"].full_name
REGISTER = trainer_pb2_grpc.add_TrainerServiceServicer_to_server
WATCH_SECONDS = 1.0
"""Time between two looks at the run of a training, and between two progress events."""
ENDED = {"failed": "run {} has failed", "cancelled": "run {} was cancelled"}
"""The states of a run that wants no more checkpoints, and how they are reported."""


class Service(trainer_pb2_grpc.TrainerServiceServicer):
    """Fine-tunes in a process of its own, or in a Job of the cluster if `UCODER_TRAINING_TEMPLATE` names a template."""

    def __init__(self, context: ServiceContext) -> None:
        self.artifacts = context.artifacts
        self._settings, self._states, self._bus = context.settings, context.states, context.bus
        self._jobs = (
            KubernetesJobs(context.settings, context.artifacts.store) if context.settings.training_template else None
        )
        self._progress: dict[tuple[str, str], TrainingProgress] = {}
        self._finished: set[tuple[str, str]] = set()

    @classmethod
    @contextlib.asynccontextmanager
    async def open(cls, context: ServiceContext) -> AsyncIterator["Service"]:
        """Yields the service; at its start it deletes the Jobs of runs that ended meanwhile."""
        service = cls(context)
        cleanup = asyncio.create_task(service._remove_unwanted_jobs())
        try:
            yield service
        finally:
            cleanup.cancel()
            await asyncio.gather(cleanup, return_exceptions=True)

    async def fine_tune(
        self, dataset: pb.Dataset, run: pb.Run, report: Callable[[TrainingProgress], None] | None = None
    ) -> pb.Checkpoint:
        """Trains on a sealed dataset and stores the checkpoint, complete or not at all; `report` gets the progress."""
        key = run.id, name_of(dataset)

        def on_progress(progress: TrainingProgress) -> None:
            progress.dataset = key[1]
            self._progress[key] = progress
            if report:
                report(progress)

        work = self._jobs.train(dataset, on_progress) if self._jobs else self._train_here(dataset, run, on_progress)
        try:
            result = await self._while_wanted(work, *key)
        except Unwanted:
            if self._jobs:
                await self._jobs.remove(dataset)
            raise
        finally:
            await publish_training_progress(self._bus, *key, None)
        result.summary.dataset_sha256 = dataset.sha256
        self._finished.add(key)
        return pb.Checkpoint(
            run=run.id,
            iteration=dataset.iteration,
            variant=dataset.variant,
            path=str(trained_weights(dataset)),
            probe_log_prob=result.probe_log_prob,
            training=result.summary,
        )

    async def _train_here(
        self, dataset: pb.Dataset, run: pb.Run, on_progress: Callable[[TrainingProgress], None]
    ) -> TrainingResult:
        """Trains in a child process and moves the finished folder into the store."""
        job = await prepare_job(self.artifacts, dataset, run, self._settings.cache_dir.expanduser() / "training")
        result = await train(job, on_progress, run.config.training.processes, self._settings.training_silence_seconds)
        await self.artifacts.store.put_folder(Path(job.out), trained_weights(dataset).place)
        await asyncio.to_thread(shutil.rmtree, job.out, ignore_errors=True)
        return result

    async def _while_wanted(self, work: Coroutine[Any, Any, TrainingResult], run: str, dataset: str) -> TrainingResult:
        """Returns the result of the work, and publishes its progress every second.

        Cancels the work and raises Unwanted within seconds when the run has failed or was cancelled. The work has
        stopped when this returns or raises, even if this is cancelled itself.
        """
        task = asyncio.create_task(work)
        try:
            while True:
                await asyncio.wait([task], timeout=WATCH_SECONDS)
                if task.done():
                    return task.result()
                if reason := await self._why_unwanted(run):
                    log.info("training.stopped", run=run, reason=reason)
                    raise Unwanted(f"{reason}: its training was stopped.")
                if progress := self._progress.get((run, dataset)):
                    await publish_training_progress(self._bus, run, dataset, progress)
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def _why_unwanted(self, run: str) -> str:
        """Returns how a run ended that wants no more checkpoints; the empty text for any other run.

        An unreachable bus stops no training, and neither does a run that was never begun.
        """
        with contextlib.suppress(Retry, NotFound):
            return ENDED.get((await self._states.get(run)).state, "").format(run)
        return ""

    async def _remove_unwanted_jobs(self) -> None:
        """Deletes the Jobs of runs that were cancelled or failed while no trainer was running."""
        if self._jobs:
            try:
                await self._jobs.remove_unwanted(self._why_unwanted)
            except UcoderError as error:  # a training will meet the same error, and the next start tries again
                log.warning("training.jobs_not_removed", error=str(error))

    async def Train(
        self, request: trainer_pb2.TrainRequest, context: object
    ) -> AsyncIterator[trainer_pb2.TrainResponse]:
        """Trains on a dataset that a run has sealed: yields the progress, then the checkpoint."""
        run = await self.artifacts.get(pb.Run, request.run, "000")
        dataset = await self.artifacts.get(pb.Dataset, request.run, request.dataset)
        reports: asyncio.Queue[TrainingProgress] = asyncio.Queue()
        task = asyncio.create_task(self.fine_tune(dataset, run, reports.put_nowait))
        try:
            while not task.done() or not reports.empty():
                with contextlib.suppress(TimeoutError):
                    yield trainer_pb2.TrainResponse(progress=await asyncio.wait_for(reports.get(), 0.5))
            yield trainer_pb2.TrainResponse(checkpoint=task.result())
        finally:
            task.cancel()

    async def GetTraining(
        self, request: trainer_pb2.GetTrainingRequest, context: object
    ) -> trainer_pb2.GetTrainingResponse:
        """Returns the progress of a training that this process runs or ran."""
        key = request.run, request.dataset
        if key not in self._progress:
            raise NotFound(f"no training of {request.run}/{request.dataset} here.")
        return trainer_pb2.GetTrainingResponse(progress=self._progress[key], finished=key in self._finished)
