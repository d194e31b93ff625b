"""TrainerService, and what its arrow uses."""

import asyncio
import contextlib
import shutil
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import structlog

from ucoder.errors import NotFound, UcoderError, Unwanted
from ucoder.runtime.context import ServiceContext
from ucoder.runtime.messaging.progress_events import tell
from ucoder.runtime.storage.artifacts import name_of
from ucoder.trainer import kubernetes_job
from ucoder.trainer.job_watch import unwanted, watched
from ucoder.trainer.preparing import prepared, weights_of
from ucoder.trainer.training_job import TrainingProgress
from ucoder.trainer.training_process import train
from ucoder.v1 import artifacts_pb2 as pb
from ucoder.v1 import trainer_pb2, trainer_pb2_grpc

log = structlog.get_logger()
NAME = trainer_pb2.DESCRIPTOR.services_by_name["TrainerService"].full_name
REGISTER = trainer_pb2_grpc.add_TrainerServiceServicer_to_server


class Service(trainer_pb2_grpc.TrainerServiceServicer):
    """Fine-tuning in a process of its own, or in a Job of the cluster where `UCODER_TRAINING_TEMPLATE` gives one."""

    def __init__(self, context: ServiceContext) -> None:
        self.artifacts = context.artifacts
        self._settings, self._states, self._bus = context.settings, context.states, context.bus
        self._work = context.settings.cache_dir.expanduser() / "training"
        self._progress: dict[tuple[str, str], trainer_pb2.TrainingProgress] = {}
        self._finished: set[tuple[str, str]] = set()

    @classmethod
    @contextlib.asynccontextmanager
    async def open(cls, context: ServiceContext) -> AsyncIterator["Service"]:
        """The service for as long as the block runs."""
        service = cls(context)
        sweeping = asyncio.create_task(service._sweep())
        try:
            yield service
        finally:
            sweeping.cancel()
            await asyncio.gather(sweeping, return_exceptions=True)

    async def fine_tune(
        self, dataset: pb.Dataset, run: pb.Run, report: Callable[[trainer_pb2.TrainingProgress], None] | None = None
    ) -> pb.Checkpoint:
        """Trains on a sealed dataset and puts the checkpoint into the store, whole or not at all."""
        name = name_of(dataset)

        def on_progress(moment: TrainingProgress) -> None:
            message = trainer_pb2.TrainingProgress(
                dataset=name,
                step=moment.step,
                steps=moment.steps,
                loss=moment.loss,
                tokens_per_second=moment.tokens_per_second,
                seconds_left=moment.seconds_left,
                memory_mb=moment.memory_mb,
                waiting=moment.waiting,
                validation_loss=moment.validation_loss,
            )
            self._progress[run.id, name] = message
            if report:
                report(message)

        work = self._in_the_cluster if self._settings.training_template else self._here
        try:
            summary, probe = await watched(
                work(dataset, run, on_progress), self._states, run.id, lambda: self._tell(run.id, name)
            )
        except Unwanted:
            if self._settings.training_template:
                await kubernetes_job.remove(self._settings, dataset)
            raise
        finally:
            await tell(self._bus, run.id, name, None)
        summary.dataset_sha256 = dataset.sha256
        self._finished.add((run.id, name))
        return pb.Checkpoint(
            run=run.id,
            iteration=dataset.iteration,
            variant=dataset.variant,
            path=f"store:{weights_of(dataset)}",
            probe_log_prob=probe,
            training=summary,
        )

    async def _in_the_cluster(
        self, dataset: pb.Dataset, run: pb.Run, report: Callable[[TrainingProgress], None]
    ) -> tuple[pb.TrainingSummary, float]:
        return await kubernetes_job.train(self._settings, self.artifacts.store, dataset, report)

    async def _here(
        self, dataset: pb.Dataset, run: pb.Run, report: Callable[[TrainingProgress], None]
    ) -> tuple[pb.TrainingSummary, float]:
        job = await prepared(self.artifacts, dataset, run, self._work)
        done = await train(job, report, run.config.training.processes, self._settings.training_silence_seconds)
        await self.artifacts.store.put_folder(Path(job.out), weights_of(dataset))
        await asyncio.to_thread(shutil.rmtree, job.out, ignore_errors=True)
        return done

    async def _tell(self, run: str, name: str) -> None:
        if moment := self._progress.get((run, name)):
            await tell(self._bus, run, name, moment)

    async def _sweep(self) -> None:
        """Ends what runs left in the cluster that were cancelled while no trainer was there."""
        if self._settings.training_template:
            try:
                await kubernetes_job.sweep(self._settings, lambda run: unwanted(self._states, run))
            except UcoderError as error:  # a training will say it louder; the next start sweeps again
                log.warning("training.not_swept", error=str(error))

    async def Train(  # noqa: N802
        self, request: trainer_pb2.TrainRequest, context: object
    ) -> AsyncIterator[trainer_pb2.TrainResponse]:
        """Trains on a dataset that a run has sealed."""
        run = await self.artifacts.get(pb.Run, request.run, "000")
        dataset = await self.artifacts.get(pb.Dataset, request.run, request.dataset)
        moments: asyncio.Queue[trainer_pb2.TrainingProgress] = asyncio.Queue()
        task = asyncio.create_task(self.fine_tune(dataset, run, moments.put_nowait))
        try:
            while not task.done() or not moments.empty():
                with contextlib.suppress(TimeoutError):
                    moment = await asyncio.wait_for(moments.get(), 0.5)
                    yield trainer_pb2.TrainResponse(progress=moment)
            yield trainer_pb2.TrainResponse(checkpoint=task.result())
        finally:
            task.cancel()

    async def GetTraining(  # noqa: N802
        self, request: trainer_pb2.GetTrainingRequest, context: object
    ) -> trainer_pb2.GetTrainingResponse:
        """How far a training is that this process runs or ran."""
        key = request.run, request.dataset
        if key not in self._progress:
            raise NotFound(f"no training of {request.run}/{request.dataset} here.")
        return trainer_pb2.GetTrainingResponse(progress=self._progress[key], finished=key in self._finished)
