"""Tests of the ledger on a real bus: sums, grants that are given once, and limits that stay once reached."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest

from ucoder.runtime.messaging.bus import Bus
from ucoder.runtime.messaging.ledger import SPARE, Ledger
from ucoder.runtime.messaging.running_counts import RunningCounts
from ucoder.runtime.settings import Settings
from ucoder.runtime.storage.artifacts import Artifacts
from ucoder.runtime.storage.store import Store
from ucoder.v1 import artifacts_pb2 as pb
from ucoder.v1 import config_pb2

Ledgers = Callable[[], Awaitable[Ledger]]


@pytest.fixture
async def ledgers(nats_url: str, make_settings: Callable[..., Settings]) -> AsyncIterator[Ledgers]:
    """A function that opens another process' ledger."""
    settings = make_settings(nats_url=nats_url)
    bus, artifacts = await Bus.connect(settings), Artifacts(Store(settings))

    async def another() -> Ledger:
        return Ledger(await RunningCounts.open(bus), artifacts)

    yield another
    await bus.close()


def brief(number: int, iteration: int = 1) -> pb.Brief:
    return pb.Brief(run="r", iteration=iteration, number=number)


def run(**limits: float) -> pb.Run:
    return pb.Run(id="r", config=config_pb2.RunConfig(loop=config_pb2.LoopConfig(**limits)))


async def test_a_repeated_entry_counts_once_and_iterations_have_separate_sums(ledgers: Ledgers) -> None:
    ledger = await ledgers()
    for _ in range(2):
        await ledger.record(brief(1), "problem", {"tokens-problem": 70, SPARE: 0})
        await ledger.record(brief(1), "consensus", {"pairs": 1})
    await ledger.record(brief(2), "tests", {"tokens-tests": 30})
    await ledger.record(brief(1, iteration=2), "tests", {"tokens-tests": 5})
    totals = await ledger.totals("r", 1)
    assert totals.sums == {"tokens-problem": 70, "tokens-tests": 30, "tokens": 100, "pairs": 1}
    assert (await ledger.totals("r", 2)).sums["tokens"] == 5


async def test_spare_programs_are_granted_only_once(ledgers: Ledgers) -> None:
    several = [await ledgers() for _ in range(4)]
    await asyncio.gather(*(several[i].record(brief(i), "candidates", {SPARE: 20}) for i in range(4)))
    got = await asyncio.gather(*(several[i % 4].grant_spare("r", 1, 16) for i in range(12)))
    assert sum(got) == 80 // 16
    assert (await several[0].totals("r", 1)).granted == 5
    assert not await several[0].grant_spare("r", 1, 16)
    await several[1].record(brief(9), "candidates", {SPARE: 16})
    assert await several[2].grant_spare("r", 1, 16), "a caller is refused only after a fresh reading"


@pytest.mark.parametrize(
    ("limits", "amounts", "expected"),
    [
        ({}, {"pairs": 9, "tokens-tests": 999}, ""),
        ({"pairs": 3}, {"pairs": 2}, ""),
        ({"pairs": 3}, {"pairs": 3}, "pairs"),
        ({"tokens": 100}, {"tokens-tests": 99}, ""),
        ({"tokens": 100, "pairs": 3}, {"tokens-tests": 120, "pairs": 1}, "tokens"),
        ({"seconds": 1000.0}, {"pairs": 1}, ""),
    ],
)
async def test_a_limit_ends_the_iteration_when_it_is_reached(
    ledgers: Ledgers, limits: dict[str, float], amounts: dict[str, int], expected: str
) -> None:
    ledger = await ledgers()
    await ledger.record(brief(0), "consensus", amounts)
    assert await ledger.reached_limit(run(**limits), 1) == expected


async def test_time_counts_from_the_gate_decision_and_the_first_limit_found_stays(
    ledgers: Ledgers, make_settings: Callable[..., Settings]
) -> None:
    await Store(make_settings()).create("r/iteration/001.binpb.z", b"")
    await asyncio.sleep(0.05)
    first = await ledgers()
    await first.record(brief(0), "consensus", {"pairs": 1})
    assert await first.reached_limit(run(seconds=0.01), 1) == "seconds"
    assert await (await ledgers()).reached_limit(run(pairs=1), 1) == "seconds"
