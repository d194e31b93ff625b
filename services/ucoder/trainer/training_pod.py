"""A training in a pod of its own, under torchrun: `--module ucoder.trainer.training_pod RUN/DATASET`.

Everything comes from the store and goes there: examples and base weights, the state that a pod on another node goes on
from, the finished folder. Progress and errors are lines on stdout, which the trainer reads as the pod's log.
"""

import asyncio
import os
import shutil
import sys
from pathlib import Path

import structlog

from ucoder.errors import Retry
from ucoder.runtime import settings
from ucoder.runtime.storage.artifacts import Artifacts
from ucoder.runtime.storage.store import Store
from ucoder.trainer.distributed import ProcessGroup
from ucoder.trainer.preparing import prepared, weights_of
from ucoder.trainer.training_job import TrainingJob
from ucoder.trainer.training_worker import leave, perform
from ucoder.v1 import artifacts_pb2 as pb

log = structlog.get_logger()
SAVED = ("best.pt", "state.pt")
"""What a resumed training needs, in the order it is written: a state speaks of no best weights that are not there."""


class TrainingPod:
    """One pod's training."""

    def __init__(self, name: str) -> None:
        self._run, _, self._name = name.partition("/")
        chosen = settings.load()
        self._store = Store(chosen)
        self._folder = chosen.cache_dir.expanduser() / "training"
        self._dataset = pb.Dataset()

    def prepare(self, company: ProcessGroup) -> TrainingJob:
        """The job, once its files are here: the first process of each node fetches them, the others find them."""
        if os.environ.get("LOCAL_RANK", "0") != "0":
            company.wait()
        job = asyncio.run(self._fetched())
        if os.environ.get("LOCAL_RANK", "0") == "0":
            company.wait()
        return job

    async def _fetched(self) -> TrainingJob:
        artifacts = Artifacts(self._store)
        run = await artifacts.get(pb.Run, self._run, "000")
        self._dataset = await artifacts.get(pb.Dataset, self._run, self._name)
        job = await prepared(artifacts, self._dataset, run, self._folder)
        work = Path(job.work)
        work.mkdir(parents=True, exist_ok=True)
        for name in SAVED:
            if not (work / "state.pt").exists():
                await self._store.get_file(self._key(work / name), work / name)
        return job

    def kept(self, file: Path) -> None:
        """Copies a saved state, or the best weights so far, to where another node finds it."""
        asyncio.run(self._store.put_file(file, self._key(file)))

    def _key(self, file: Path) -> str:
        return f"{self._run}/training/{self._name}.{file.stem}"

    def made(self, folder: Path) -> None:
        """Moves the finished folder into the store, whole or not at all, and removes what a resumed training needs."""
        asyncio.run(self._store.put_folder(folder, weights_of(self._dataset)))
        shutil.rmtree(folder, ignore_errors=True)
        try:
            for name in SAVED:
                asyncio.run(self._store.remove(self._key(Path(name))))
        except Retry as error:  # it costs room and nothing else
            log.warning("training.state_left_behind", error=str(error))


if __name__ == "__main__":
    pod = TrainingPod(sys.argv[1])
    leave(perform(pod.prepare, pod.kept, pod.made))
