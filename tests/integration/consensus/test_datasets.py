"""The sealed Parquet file of an iteration: its rows, their splits, and their provenance."""

import io
from collections.abc import AsyncIterator, Callable
from dataclasses import fields
from pathlib import Path
from typing import Any

import datasets
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from ucoder.consensus.consensus_to_dataset import run as seal
from ucoder.consensus.service import Service
from ucoder.consensus.training_table import TrainingExample
from ucoder.core.validation_split import split_of
from ucoder.runs.run_config import load
from ucoder.runtime.context import ServiceContext
from ucoder.runtime.messaging.count_chunks import MADE, ending_key
from ucoder.runtime.settings import Settings
from ucoder.v1 import artifacts_pb2 as pb

BRIEFS = 40


@pytest.fixture
async def context(nats_url: str, make_settings: Callable[..., Settings]) -> AsyncIterator[ServiceContext]:
    async with ServiceContext.open(make_settings(nats_url=nats_url), ()) as opened:
        yield opened


def run_of(briefs: int = BRIEFS, **dataset: Any) -> pb.Run:
    return pb.Run(
        id="r", format=1, config=load(None, "demo", {"loop": {"briefs": briefs, "control": True}, "dataset": dataset})
    )


def ending(number: int, iteration: int = 1, body: str = "return x + {}", domain: str = "math") -> pb.Consensus:
    brief = pb.Brief(run="r", iteration=iteration, number=number, domain=domain, difficulty=2, model="m")
    prompt = f'def f{number}(x: int) -> int:\n    """Adds {number} to x."""\n'
    made = [
        pb.Candidate(completion=f"    {text}\n", program=f"{prompt}    {text}\n", finish="stop")
        for text in (body.format(number), "return 0")
    ]
    return pb.Consensus(
        brief=brief, ending=pb.ENDING_SELECTED, stage="consensus", selected=made[0], random=made[1],
        problem=pb.Problem(brief=brief, prompt=prompt, entry_point=f"f{number}", rating=3), confidence=0.9, margin=0.5,
        clusters=[pb.Cluster(members=[0, 1, 2], share=0.75), pb.Cluster(members=[3], share=0.25)],
    )  # fmt: skip


async def sealed(context: ServiceContext, run: pb.Run, endings: list[pb.Consensus]) -> list[pb.Dataset]:
    """Seals an iteration with these endings. Returns the loop's dataset, and the control's in the first iteration."""
    for one in endings:
        ref = await context.artifacts.save("r", one)
        await context.counts.record("r", ref.name, "consensus", {MADE: 1, ending_key(one): 1})
    datasets = await seal(Service(context), endings[-1], run)
    assert datasets
    for one in datasets:
        await context.artifacts.save("r", one)
    return datasets


async def rows_of(context: ServiceContext, dataset: pb.Dataset) -> list[dict[str, Any]]:
    return pq.read_table(io.BytesIO(await context.artifacts.store.get(dataset.key))).to_pylist()


async def test_the_rows_of_a_problem_have_the_same_split_in_loop_and_control(context: ServiceContext) -> None:
    loop, control = await sealed(context, run_of(validation=0.3), [ending(number) for number in range(BRIEFS)])
    rows, others = await rows_of(context, loop), await rows_of(context, control)
    assert [row["split"] for row in rows] == [row["split"] for row in others]
    assert [row["split"] for row in rows] == [split_of(row["prompt"], 0.3) for row in rows]
    kept = sum(row["split"] == "validation" for row in rows)
    assert 0 < kept == loop.validation == control.validation < len(rows) == BRIEFS
    assert all(row["solution"] == "    return 0\n" for row in others)


async def test_validation_share_0_keeps_no_row_for_validation(context: ServiceContext) -> None:
    loop, _ = await sealed(context, run_of(validation=0), [ending(number) for number in range(BRIEFS)])
    assert loop.validation == 0
    assert {row["split"] for row in await rows_of(context, loop)} == {"train"}


async def test_every_row_that_is_left_out_is_counted_by_its_reason(context: ServiceContext) -> None:
    endings = [ending(number, domain="math" if number else "lists") for number in range(6)]
    endings[1].confidence = 0.4
    endings[2].selected.completion = "    y = x\n    return y\n"
    endings[4].problem.CopyFrom(endings[3].problem)
    endings[4].problem.brief.number = 4
    endings[4].selected.CopyFrom(endings[3].selected)
    endings[4].confidence = 0.95  # of two equal rows the better one stays
    loop, control = await sealed(
        context, run_of(6, min_confidence=0.5, max_lines=1, domain_share=0.5, validation=0), endings
    )
    reasons = {"low_confidence": 1, "too_long": 1, "duplicate": 1}
    assert dict(loop.left_out) == dict(control.left_out) == reasons
    assert [row["brief"] for row in await rows_of(context, loop)] == ["001-000000", "001-000004", "001-000005"]
    assert (loop.selected, loop.rows) == (6, 3)


async def test_a_row_of_an_earlier_dataset_is_not_sealed_again(context: ServiceContext) -> None:
    run = run_of(3)
    await sealed(context, run, [ending(number) for number in range(3)])
    again = [ending(number, iteration=2) for number in range(3)]
    again[0].selected.program = again[0].selected.program.replace("x + 0", "(x+0)  # the same")
    again[1].selected.program = again[1].selected.program.replace("x + 1", "1 + x")
    [loop] = await sealed(context, run, again)
    assert (dict(loop.left_out), loop.rows) == ({"duplicate": 2}, 1)
    [row] = await rows_of(context, loop)
    assert (row["run"], row["iteration"], row["brief"], row["model"]) == ("r", 2, "002-000001", "m")
    assert (row["cluster"], row["cluster_size"], row["clusters"]) == (0, 3, 2)


async def test_hugging_face_datasets_opens_the_file(context: ServiceContext, tmp_path: Path) -> None:
    loop, control = await sealed(context, run_of(validation=0.3), [ending(number) for number in range(BRIEFS)])
    for one in (loop, control):
        (tmp_path / "data.parquet").write_bytes(await context.artifacts.store.get(one.key))
        opened = datasets.load_dataset("parquet", data_files=str(tmp_path / "data.parquet"), split="train",
                                       cache_dir=str(tmp_path / one.key.replace("/", "-")))  # fmt: skip
        assert opened.to_list() == await rows_of(context, one)
        assert opened.filter(lambda row: row["split"] == "validation").num_rows == one.validation


async def test_every_variant_has_the_same_schema(context: ServiceContext) -> None:
    loop, control = await sealed(context, run_of(2), [ending(number) for number in range(2)])
    first, second = [pq.read_schema(io.BytesIO(await context.artifacts.store.get(one.key))) for one in (loop, control)]
    assert first == second
    assert first.names == [field.name for field in fields(TrainingExample)]
    texts = {field.name for field in fields(TrainingExample) if field.type is str}
    assert {name for name in first.names if first.field(name).type == pa.string()} == texts
