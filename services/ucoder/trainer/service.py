"""TrainerService, and what its arrow uses."""

import asyncio
import contextlib
import shutil
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import structlog

from ucoder.runtime.artifacts import name_of
from ucoder.runtime.errors import NotFound, UcoderError, Unwanted
from ucoder.runtime.news import tell
from ucoder.runtime.world import World
from ucoder.trainer import cluster_job
from ucoder.trainer.job import Progress
from ucoder.trainer.preparing import prepared, weights_of
from ucoder.trainer.process import train
from ucoder.trainer.tending import tended, unwanted
from ucoder.v1 import artifacts_pb2 as pb
from ucoder.v1 import trainer_pb2, trainer_pb2_grpc

log = structlog.get_logger()
NAME = trainer_pb2.DESCRIPTOR.services_by_name["TrainerService"].full_name
REGISTER = trainer_pb2_grpc.add_TrainerServiceServicer_to_server


class Service(trainer_pb2_grpc.TrainerServiceServicer):
    """Fine-tuning in a process of its own, or in a Job of the cluster where `UCODER_TRAINING_TEMPLATE` gives one."""

    def __init__(self, world: World) -> None:
        self.artifacts = world.artifacts
        self._settings, self._states, self._bus = world.settings, world.states, world.bus
        self._work = world.settings.cache_dir.expanduser() / "training"
        self._progress: dict[tuple[str, str], trainer_pb2.TrainingProgress] = {}
        self._finished: set[tuple[str, str]] = set()

    @classmethod
    @contextlib.asynccontextmanager
    async def open(cls, world: World) -> AsyncIterator["Service"]:
        """The service for as long as the block runs."""
        service = cls(world)
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

        def on_progress(moment: Progress) -> None:
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
            summary, probe = await tended(
                work(dataset, run, on_progress), self._states, run.id, lambda: self._tell(run.id, name)
            )
        except Unwanted:
            if self._settings.training_template:
                await cluster_job.remove(self._settings, dataset)
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
        self, dataset: pb.Dataset, run: pb.Run, report: Callable[[Progress], None]
    ) -> tuple[pb.TrainingSummary, float]:
        return await cluster_job.train(self._settings, self.artifacts.store, dataset, report)

    async def _here(
        self, dataset: pb.Dataset, run: pb.Run, report: Callable[[Progress], None]
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
                await cluster_job.sweep(self._settings, lambda run: unwanted(self._states, run))
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
