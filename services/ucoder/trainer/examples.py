"""Training examples out of sealed datasets."""

import hashlib
import io

import pyarrow as pa
import pyarrow.parquet as pq

from ucoder.models.prompts import Prompts
from ucoder.runtime.artifacts import Artifacts
from ucoder.runtime.errors import Reject
from ucoder.trainer.job import Example
from ucoder.v1 import artifacts_pb2 as pb


async def examples_of(artifacts: Artifacts, dataset: pb.Dataset, config: pb.Run) -> list[Example]:
    """The examples of a dataset, and of the loop's earlier ones where the run pools them; a problem counts once."""
    datasets = [dataset]
    if config.config.training.pool and dataset.variant == pb.VARIANT_LOOP:
        earlier = range(1, dataset.iteration)
        datasets = [await artifacts.get(pb.Dataset, dataset.run, f"{i:03d}") for i in earlier] + datasets
    found: dict[str, Example] = {}
    for one in datasets:
        for row in await _rows(artifacts, one):
            prompts = Prompts.load(config.config.model.profile, script=not row["entry_point"])
            prompt = prompts.render("solution", problem=row["prompt"])
            found[row["prompt"]] = Example(prompt=prompt, completion=row["solution"])
    if not found:
        raise Reject(f"dataset {dataset.key}: no brief was selected, so there is nothing to learn from.")
    return list(found.values())


async def _rows(artifacts: Artifacts, dataset: pb.Dataset) -> list[dict[str, str]]:
    data = await artifacts.store.get(dataset.key)
    if hashlib.sha256(data).hexdigest() != dataset.sha256:
        raise Reject(f"{dataset.key} is corrupt: its sha256 is not the sealed one.")
    try:
        return pq.read_table(io.BytesIO(data), columns=["prompt", "solution", "entry_point"]).to_pylist()  # type: ignore[no-any-return]
    except (pa.ArrowInvalid, OSError) as error:
        raise Reject(f"{dataset.key}: not Parquet: {error}.") from None
