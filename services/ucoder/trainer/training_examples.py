"""Prepares a training job from what a run has stored: examples of its sealed datasets, base weights, recipe.

The trainer does this for a process on its own machine; a training pod does it for itself.
"""

import hashlib
import io
from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from ucoder.core.validation_split import TRAIN, VALIDATION
from ucoder.errors import Reject
from ucoder.models.prompts import Prompts
from ucoder.models.weights_probe import PROBE_TEXT
from ucoder.runtime.storage.artifacts import Artifacts, name_of
from ucoder.runtime.storage.weights_reference import WeightsReference
from ucoder.trainer.training_job import TrainingJob, TrainingText
from ucoder.v1 import artifacts_pb2 as pb
from ucoder.v1 import config_pb2

COLUMNS = ("prompt", "solution", "entry_point", "split")
"""The columns that a training reads. A dataset of an older version has no `split`: all of it is trained on."""


def trained_weights(dataset: pb.Dataset) -> WeightsReference:
    """Returns the place in the object store of the weights that are trained on a dataset."""
    return WeightsReference.in_store(f"{dataset.run}/weights/{name_of(dataset)}")


async def prepare_job(artifacts: Artifacts, dataset: pb.Dataset, run: pb.Run, folder: Path) -> TrainingJob:
    """Returns the training on a sealed dataset, in a folder of this machine. Raises NotFound, Reject."""
    datasets = await pooled_datasets(artifacts, dataset, run)
    examples, validation = await read_examples(artifacts, datasets, run)
    return TrainingJob.create(
        run.config.training, examples, validation=validation,
        datasets=[f"{one.run}/{name_of(one)} {one.sha256}" for one in datasets],
        base=await _start_weights(artifacts, dataset, run), out=folder / run.id / name_of(dataset),
        seed=run.config.seed * 1000 + dataset.iteration, probe_text=PROBE_TEXT,
    )  # fmt: skip


async def pooled_datasets(artifacts: Artifacts, dataset: pb.Dataset, run: pb.Run) -> list[pb.Dataset]:
    """Returns the datasets that a training reads: where the run pools them, those of earlier iterations first."""
    if not run.config.training.pool or dataset.variant != pb.VARIANT_LOOP:
        return [dataset]
    earlier = range(1, dataset.iteration)
    return [await artifacts.get(pb.Dataset, dataset.run, f"{iteration:03d}") for iteration in earlier] + [dataset]


async def read_examples(
    artifacts: Artifacts, datasets: Sequence[pb.Dataset], run: pb.Run
) -> tuple[list[TrainingText], list[TrainingText]]:
    """Returns the examples to train on and those kept for validation.

    A problem counts once, as the last dataset has it. A problem that any dataset keeps for validation is never
    trained on.
    """
    sides: dict[str, dict[str, TrainingText]] = {TRAIN: {}, VALIDATION: {}}
    for dataset in datasets:
        for row in await _read_rows(artifacts, dataset):
            prompts = Prompts.load(run.config.model.profile, script=not row["entry_point"])
            side = row.get("split", TRAIN)
            if side not in sides:
                raise Reject(f"{dataset.key}: split {side!r} is neither {TRAIN} nor {VALIDATION}.")
            prompt = prompts.render("solution", problem=row["prompt"])
            sides[side][row["prompt"]] = TrainingText(prompt, row["solution"])
    train = [text for problem, text in sides[TRAIN].items() if problem not in sides[VALIDATION]]
    if not train:
        raise Reject(
            f"dataset {datasets[-1].key}: no brief was selected for training, so there is nothing to learn from."
        )
    return train, list(sides[VALIDATION].values())


async def _read_rows(artifacts: Artifacts, dataset: pb.Dataset) -> list[dict[str, str]]:
    data = await artifacts.store.get(dataset.key)
    if hashlib.sha256(data).hexdigest() != dataset.sha256:
        raise Reject(f"{dataset.key} is corrupt: its sha256 is not the sealed one.")
    try:
        file = pq.ParquetFile(io.BytesIO(data))
        columns = [name for name in COLUMNS if name != "split" or name in file.schema_arrow.names]
        return file.read(columns=columns).to_pylist()  # type: ignore[no-any-return]
    except (pa.ArrowInvalid, OSError) as error:
        raise Reject(f"{dataset.key}: not Parquet: {error}.") from None


async def _start_weights(artifacts: Artifacts, dataset: pb.Dataset, run: pb.Run) -> Path:
    """Returns the folder of the weights that the training starts from: the base, or the last checkpoint."""
    from_last = run.config.training.start == config_pb2.TrainingConfig.START_LAST and dataset.iteration > 1
    name = f"{dataset.iteration - 1:03d}" if from_last else "000"
    start = await artifacts.get(pb.Checkpoint, run.id, name)
    return await WeightsReference.parse(start.path).local_folder(artifacts.store)
