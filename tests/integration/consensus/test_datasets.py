"""What an iteration selected becomes a sealed Parquet file: which rows, on which side, and where each came from."""

import io
from collections.abc import AsyncIterator, Callable
from typing import Any

import pyarrow.parquet as pq
import pytest

from ucoder.consensus.consensus_to_dataset import run as seal
from ucoder.consensus.service import Service
from ucoder.core.splits import split_of
from ucoder.runs.config import load
from ucoder.runtime.settings import Settings
from ucoder.runtime.world import World
from ucoder.v1 import artifacts_pb2 as pb

BRIEFS = 40


@pytest.fixture
async def world(nats_url: str, make_settings: Callable[..., Settings]) -> AsyncIterator[World]:
    async with World.open(make_settings(nats_url=nats_url), ()) as opened:
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


async def sealed(world: World, run: pb.Run, endings: list[pb.Consensus]) -> list[pb.Dataset]:
    """The datasets of an iteration that ended so: the loop's, and in the first iteration the control's."""
    for one in endings:
        await world.bus.publish(await world.artifacts.save("r", one))
    datasets = await seal(Service(world), endings[-1], run)
    assert datasets
    for one in datasets:
        await world.artifacts.save("r", one)
    return datasets


async def rows_of(world: World, dataset: pb.Dataset) -> list[dict[str, Any]]:
    return pq.read_table(io.BytesIO(await world.artifacts.store.get(dataset.key))).to_pylist()


async def test_the_rows_of_a_problem_are_on_its_side_in_loop_and_control(world: World) -> None:
    loop, control = await sealed(world, run_of(validation=0.3), [ending(number) for number in range(BRIEFS)])
    rows, others = await rows_of(world, loop), await rows_of(world, control)
    assert [row["split"] for row in rows] == [row["split"] for row in others]
    assert [row["split"] for row in rows] == [split_of(row["prompt"], 0.3) for row in rows]
    kept = sum(row["split"] == "validation" for row in rows)
    assert 0 < kept == loop.validation == control.validation < len(rows) == BRIEFS
    assert all(row["solution"] == "    return 0\n" for row in others)


async def test_no_share_keeps_nothing_back(world: World) -> None:
    loop, _ = await sealed(world, run_of(validation=0), [ending(number) for number in range(BRIEFS)])
    assert loop.validation == 0
    assert {row["split"] for row in await rows_of(world, loop)} == {"train"}
