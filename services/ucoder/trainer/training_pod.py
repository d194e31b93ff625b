"""The worker of a training in a pod of its own, under torchrun: `--module ucoder.trainer.training_pod RUN/DATASET`.

Everything comes from the store and returns to it: examples and base weights, the state from which a pod on another node
resumes, the finished folder. Progress and errors are lines on stdout, which the trainer reads as the pod's log.
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
from ucoder.trainer.training_examples import prepare_job, trained_weights
from ucoder.trainer.training_job import TrainingJob
from ucoder.trainer.training_worker import leave, run_worker
from ucoder.v1 import artifacts_pb2 as pb

log = structlog.get_logger()
STATE_FILES = ("best.pt", "state.pt")
"""The files that a resumed training needs. A state may refer to the best weights, so these are written first."""


class TrainingPod:
    """The store of a worker in a pod: the pod fetches the job's files from it and stores what the worker writes."""

    def __init__(self, name: str) -> None:
        self._run, _, self._name = name.partition("/")
        chosen = settings.load()
        self._store = Store(chosen)
        self._folder = chosen.cache_dir.expanduser() / "training"
        self._dataset = pb.Dataset()

    def prepare(self, group: ProcessGroup) -> TrainingJob:
        """Returns the job. The first process of each node fetches its files before the others look for them."""
        first_of_node = os.environ.get("LOCAL_RANK", "0") == "0"
        if not first_of_node:
            group.barrier()
        job = asyncio.run(self._fetch())
        if first_of_node:
            group.barrier()
        return job

    async def _fetch(self) -> TrainingJob:
        artifacts = Artifacts(self._store)
        run = await artifacts.get(pb.Run, self._run, "000")
        self._dataset = await artifacts.get(pb.Dataset, self._run, self._name)
        job = await prepare_job(artifacts, self._dataset, run, self._folder)
        work = Path(job.work)
        work.mkdir(parents=True, exist_ok=True)
        for name in STATE_FILES:
            if not (work / "state.pt").exists():
                await self._store.get_file(self._key(work / name), work / name)
        return job

    def keep_state(self, file: Path) -> None:
        """Copies a saved state, or the best weights so far, into the store, where another node finds it."""
        asyncio.run(self._store.put_file(file, self._key(file)))

    def _key(self, file: Path) -> str:
        return f"{self._run}/training/{self._name}.{file.stem}"

    def keep_checkpoint(self, folder: Path) -> None:
        """Moves the finished folder into the store, whole or not at all, and removes what a resumed training needs."""
        asyncio.run(self._store.put_folder(folder, trained_weights(self._dataset).place))
        shutil.rmtree(folder, ignore_errors=True)
        try:
            for name in STATE_FILES:
                asyncio.run(self._store.remove(self._key(Path(name))))
        except Retry as error:  # the files only take up space
            log.warning("training.state_left_behind", error=str(error))


if __name__ == "__main__":
    pod = TrainingPod(sys.argv[1])
    leave(run_worker(pod.prepare, pod.keep_state, pod.keep_checkpoint))
