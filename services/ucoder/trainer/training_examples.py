"""Training examples out of sealed datasets."""

import hashlib
import io
from collections.abc import Sequence

import pyarrow as pa
import pyarrow.parquet as pq

from ucoder.core.validation_split import TRAIN, VALIDATION
from ucoder.errors import Reject
from ucoder.models.prompts import Prompts
from ucoder.runtime.storage.artifacts import Artifacts
from ucoder.trainer.training_job import TrainingText
from ucoder.v1 import artifacts_pb2 as pb

COLUMNS = ("prompt", "solution", "entry_point", "split")
"""That a training reads. Datasets sealed before there was a validation side have no `split`: all is trained on."""


async def datasets_of(artifacts: Artifacts, dataset: pb.Dataset, run: pb.Run) -> list[pb.Dataset]:
    """What a training on a dataset reads: it alone, or after the loop's earlier ones where the run pools them."""
    if not run.config.training.pool or dataset.variant != pb.VARIANT_LOOP:
        return [dataset]
    return [await artifacts.get(pb.Dataset, dataset.run, f"{i:03d}") for i in range(1, dataset.iteration)] + [dataset]


async def examples_of(
    artifacts: Artifacts, datasets: Sequence[pb.Dataset], run: pb.Run
) -> tuple[list[TrainingText], list[TrainingText]]:
    """What is trained on and what is kept for validation.

    A problem counts once, as the last dataset has it; one that any keeps for validation is never trained on.
    """
    sides: dict[str, dict[str, TrainingText]] = {TRAIN: {}, VALIDATION: {}}
    for one in datasets:
        for row in await _rows(artifacts, one):
            prompts = Prompts.load(run.config.model.profile, script=not row["entry_point"])
            prompt = prompts.render("solution", problem=row["prompt"])
            side = row.get("split", TRAIN)
            if side not in sides:
                raise Reject(f"{one.key}: split {side!r} is neither {TRAIN} nor {VALIDATION}.")
            sides[side][row["prompt"]] = TrainingText(prompt=prompt, completion=row["solution"])
    train = [one for problem, one in sides[TRAIN].items() if problem not in sides[VALIDATION]]
    if not train:
        raise Reject(
            f"dataset {datasets[-1].key}: no brief was selected for training, so there is nothing to learn from."
        )
    return train, list(sides[VALIDATION].values())


async def _rows(artifacts: Artifacts, dataset: pb.Dataset) -> list[dict[str, str]]:
    data = await artifacts.store.get(dataset.key)
    if hashlib.sha256(data).hexdigest() != dataset.sha256:
        raise Reject(f"{dataset.key} is corrupt: its sha256 is not the sealed one.")
    try:
        file = pq.ParquetFile(io.BytesIO(data))
        columns = [name for name in COLUMNS if name != "split" or name in file.schema_arrow.names]
        return file.read(columns=columns).to_pylist()  # type: ignore[no-any-return]
    except (pa.ArrowInvalid, OSError) as error:
        raise Reject(f"{dataset.key}: not Parquet: {error}.") from None
