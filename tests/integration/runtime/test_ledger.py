"""Tests of the ledger on a real store: sums, grants that are given once, and limits that stay once reached."""

import asyncio
from collections.abc import Callable

import pytest

from ucoder.runtime.settings import Settings
from ucoder.runtime.storage.ledger import SPARE, Ledger
from ucoder.runtime.storage.store import Store
from ucoder.v1 import artifacts_pb2 as pb
from ucoder.v1 import config_pb2


@pytest.fixture
def store(make_settings: Callable[..., Settings]) -> Store:
    return Store(make_settings())


def brief(number: int, iteration: int = 1) -> pb.Brief:
    return pb.Brief(run="r", iteration=iteration, number=number)


def run(**limits: float) -> pb.Run:
    return pb.Run(id="r", config=config_pb2.RunConfig(loop=config_pb2.LoopConfig(**limits)))


async def test_a_repeated_entry_counts_once_and_iterations_have_separate_sums(store: Store) -> None:
    ledger = Ledger(store)
    for _ in range(2):
        await ledger.record(brief(1), {"tokens-problem": 70, "pairs": 1, SPARE: 0})
    await ledger.record(brief(2), {"tokens-tests": 30})
    await ledger.record(brief(1, iteration=2), {"tokens-tests": 5})
    totals = await ledger.totals("r", 1)
    assert totals.sums == {"tokens-problem": 70, "tokens-tests": 30, "tokens": 100, "pairs": 1}
    assert (await ledger.totals("r", 2)).sums["tokens"] == 5


async def test_spare_programs_are_granted_only_once(store: Store) -> None:
    ledgers = [Ledger(store) for _ in range(4)]
    await asyncio.gather(*(ledgers[0].record(brief(i), {SPARE: 20}) for i in range(4)))
    got = await asyncio.gather(*(ledgers[i % 4].grant_spare("r", 1, 16) for i in range(12)))
    assert sum(got) == 80 // 16
    assert (await ledgers[0].totals("r", 1)).granted == 5
    assert not await ledgers[0].grant_spare("r", 1, 16)
    await ledgers[1].record(brief(9), {SPARE: 16})
    assert await ledgers[2].grant_spare("r", 1, 16)


class Counted(Store):
    """A slow store that counts how often it is listed."""

    listed = 0

    async def written_times(self, prefix: str) -> dict[str, float]:
        self.listed += 1
        await asyncio.sleep(0.02)
        return await super().written_times(prefix)


async def test_callers_at_the_same_time_share_a_listing(make_settings: Callable[..., Settings]) -> None:
    """The ledger of a large iteration is too long to be listed for each of its briefs."""
    store = Counted(make_settings())
    ledger = Ledger(store)
    await ledger.record(brief(1), {SPARE: 160})
    got = await asyncio.gather(*(ledger.grant_spare("r", 1, 16) for _ in range(40)))
    assert sum(got) == 10
    assert store.listed <= 4
    await ledger.record(brief(2), {SPARE: 16})
    async with asyncio.timeout(5):
        assert await ledger.grant_spare("r", 1, 16), "a caller is refused only after a fresh listing"
    assert store.listed <= 6


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
    store: Store, limits: dict[str, float], amounts: dict[str, int], expected: str
) -> None:
    ledger = Ledger(store)
    await ledger.record(brief(0), amounts)
    assert await ledger.reached_limit(run(**limits), 1) == expected


async def test_time_counts_from_the_gate_decision_and_the_first_limit_found_stays(store: Store) -> None:
    await store.create("r/iteration/001.binpb.z", b"")
    await asyncio.sleep(0.05)
    first = Ledger(store)
    await first.record(brief(0), {"pairs": 1})
    assert await first.reached_limit(run(seconds=0.01), 1) == "seconds"
    assert await Ledger(store).reached_limit(run(pairs=1), 1) == "seconds"
