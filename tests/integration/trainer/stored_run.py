"""A run in a store with a sealed dataset to train on, and the chart's template of a training."""

import hashlib
from collections.abc import Sequence
from importlib import resources
from pathlib import Path
from typing import Any

from tests.helm.chart import of_kind, render

from ucoder.consensus.training_table import TrainingExample, parquet_file
from ucoder.core.validation_split import TRAIN, VALIDATION
from ucoder.runs.run_config import load
from ucoder.runtime.storage.artifacts import Artifacts
from ucoder.v1 import artifacts_pb2 as pb

BASE = str(resources.files("ucoder.seed") / "model")


class StoredRun:
    """Run `r` on the shipped model, with a dataset of eight rows."""

    def __init__(self, dataset: pb.Dataset, ref: pb.Ref) -> None:
        self.dataset, self.ref = dataset, ref

    @classmethod
    async def create(
        cls, artifacts: Artifacts, base: str = BASE, validation: Sequence[int] = (), **training: Any
    ) -> "StoredRun":
        """Stores everything that a training reads; `validation` are the numbers of further rows of that side."""
        config = load(None, "demo", {"training": {"epochs": 1, "batch": 4, **training}})
        await artifacts.save("r", pb.Run(id="r", format=1, config=config))
        await artifacts.save("r", pb.Checkpoint(run="r", variant=pb.VARIANT_LOOP, path=base))
        data = parquet_file([*map(row, range(8)), *(row(number, VALIDATION) for number in validation)])
        await artifacts.store.create("r/data/001.parquet", data)
        dataset = pb.Dataset(run="r", iteration=1, variant=pb.VARIANT_LOOP, key="r/data/001.parquet", rows=8,
                             sha256=hashlib.sha256(data).hexdigest())  # fmt: skip
        return cls(dataset, await artifacts.save("r", dataset))


def row(number: int, split: str = TRAIN) -> TrainingExample:
    """Returns a selected program that adds a number."""
    problem = pb.Problem(prompt=f'def f(x: int) -> int:\n    """Adds {number}."""\n', entry_point="f")
    brief = pb.Brief(run="r", iteration=1, number=number)
    ended = pb.Consensus(brief=brief, problem=problem, ending=pb.ENDING_SELECTED)
    return TrainingExample.of(ended, pb.Candidate(completion=f"    return x + {number}\n"), 0.5, 0.5, split)


def job_template(variant: str, folder: Path) -> Path:
    """Writes the Job, JobSet or TrainJob as the chart's ConfigMap gives it to the trainer; returns its path."""
    [made] = [one for one in of_kind(render(variant), "ConfigMap").values() if "job.yaml" in one["data"]]
    path = folder / "job.yaml"
    path.write_text(made["data"]["job.yaml"])
    return path
