"""Examples are read from sealed datasets: both sides, pooled or not, of this version or an earlier one."""

import hashlib
import io
from collections.abc import Callable, Sequence

import pyarrow.parquet as pq
import pytest
from tests.integration.trainer.stored_run import StoredRun, row

from ucoder.consensus.training_table import parquet_file
from ucoder.errors import Reject
from ucoder.runtime.settings import Settings
from ucoder.runtime.storage.artifacts import Artifacts
from ucoder.runtime.storage.store import Store
from ucoder.trainer.training_examples import pooled_datasets, read_examples
from ucoder.trainer.training_job import TrainingText
from ucoder.v1 import artifacts_pb2 as pb


def numbers(examples: Sequence[TrainingText]) -> list[int]:
    return sorted(int(one.completion.rsplit("+", 1)[1]) for one in examples)


async def read(artifacts: Artifacts, dataset: pb.Dataset, run: pb.Run) -> tuple[list[TrainingText], list[TrainingText]]:
    return await read_examples(artifacts, await pooled_datasets(artifacts, dataset, run), run)


async def sealed(artifacts: Artifacts, iteration: int, data: bytes) -> pb.Dataset:
    key = f"r/data/{iteration:03d}.parquet"
    await artifacts.store.create(key, data)
    dataset = pb.Dataset(
        run="r", iteration=iteration, variant=pb.VARIANT_LOOP, key=key, sha256=hashlib.sha256(data).hexdigest()
    )
    await artifacts.save("r", dataset)
    return dataset


async def test_a_problem_kept_for_validation_is_never_trained_on(make_settings: Callable[..., Settings]) -> None:
    artifacts = Artifacts(Store(make_settings()))
    await StoredRun.create(artifacts, pool=True)  # iteration 1: numbers 0 to 7 to train on
    run = await artifacts.get(pb.Run, "r", "000")
    second = await sealed(artifacts, 2, parquet_file([row(7, "validation"), row(8), row(9, "validation")]))
    train, validation = await read(artifacts, second, run)
    assert numbers(train) == [*range(7), 8]
    assert numbers(validation) == [7, 9]
    run.config.training.pool = False
    train, validation = await read(artifacts, second, run)
    assert (numbers(train), numbers(validation)) == ([8], [7, 9])


async def test_all_of_a_dataset_without_a_split_column_is_trained_on(make_settings: Callable[..., Settings]) -> None:
    artifacts = Artifacts(Store(make_settings()))
    await StoredRun.create(artifacts)
    run = await artifacts.get(pb.Run, "r", "000")
    run.config.training.pool = False
    old = io.BytesIO()
    pq.write_table(pq.read_table(io.BytesIO(parquet_file([row(1), row(2)]))).drop_columns(["split"]), old)
    train, validation = await read(artifacts, await sealed(artifacts, 2, old.getvalue()), run)
    assert (numbers(train), validation) == ([1, 2], [])


async def test_a_dataset_that_cannot_be_read_is_named(make_settings: Callable[..., Settings]) -> None:
    artifacts = Artifacts(Store(make_settings()))
    await StoredRun.create(artifacts)
    run = await artifacts.get(pb.Run, "r", "000")
    run.config.training.pool = False
    for iteration, (data, words) in enumerate([
        (parquet_file([row(1, "validation")]), "no brief was selected for training"),
        (parquet_file([row(1, "test")]), "split 'test' is neither train nor validation"),
        (b"PAR1 not", "not Parquet"),
    ], 2):  # fmt: skip
        with pytest.raises(Reject, match=words):
            await read(artifacts, await sealed(artifacts, iteration, data), run)
    broken = await sealed(artifacts, 9, parquet_file([row(1)]))
    broken.sha256 = "0" * 64
    with pytest.raises(Reject, match="corrupt: its sha256 is not the sealed one"):
        await read(artifacts, broken, run)
