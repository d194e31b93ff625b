"""What a training is made from, here and in a pod of its own alike: examples, base weights, recipe."""

from pathlib import Path

from ucoder.models.weights_probe import PROBE_TEXT
from ucoder.runtime.storage.artifacts import Artifacts, name_of
from ucoder.trainer.training_examples import datasets_of, examples_of
from ucoder.trainer.training_job import TrainingJob, job_of
from ucoder.v1 import artifacts_pb2 as pb
from ucoder.v1 import config_pb2


def weights_of(dataset: pb.Dataset) -> str:
    """Where in the store the weights go that a dataset makes."""
    return f"{dataset.run}/weights/{name_of(dataset)}"


async def prepared(artifacts: Artifacts, dataset: pb.Dataset, run: pb.Run, folder: Path) -> TrainingJob:
    """The training on a sealed dataset, in a folder of this machine. Raises NotFound, Reject."""
    datasets = await datasets_of(artifacts, dataset, run)
    examples, validation = await examples_of(artifacts, datasets, run)
    return job_of(
        examples,
        validation=validation,
        datasets=[f"{one.run}/{name_of(one)} {one.sha256}" for one in datasets],
        base=await _start(artifacts, dataset, run),
        out=folder / run.id / name_of(dataset),
        config=run.config.training,
        seed=run.config.seed * 1000 + dataset.iteration,
        probe_text=PROBE_TEXT,
    )


async def _start(artifacts: Artifacts, dataset: pb.Dataset, run: pb.Run) -> Path:
    """The weights that this training begins with."""
    last = run.config.training.start == config_pb2.TrainingConfig.START_LAST and dataset.iteration > 1
    start = await artifacts.get(pb.Checkpoint, run.id, f"{dataset.iteration - 1:03d}" if last else "000")
    if start.path.startswith("store:"):
        return await artifacts.store.folder(start.path.removeprefix("store:"))
    return Path(start.path)
