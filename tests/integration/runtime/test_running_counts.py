"""Tests of the running counts on a real bus: several processes count the same briefs, each of them once."""

import asyncio
from collections.abc import AsyncIterator, Callable

import pytest

from ucoder.runtime.messaging.bus import Bus
from ucoder.runtime.messaging.count_chunks import CHUNK, MADE
from ucoder.runtime.messaging.running_counts import RunningCounts
from ucoder.runtime.settings import Settings


@pytest.fixture
async def buses(nats_url: str, make_settings: Callable[..., Settings]) -> AsyncIterator[list[Bus]]:
    opened = [await Bus.connect(make_settings(nats_url=nats_url)) for _ in range(3)]
    yield opened
    for bus in opened:
        await bus.close()


async def test_processes_that_count_the_same_briefs_count_each_once(buses: list[Bus]) -> None:
    counts = [await RunningCounts.open(bus) for bus in buses]
    numbers = [*range(300), CHUNK - 1, CHUNK, 2 * CHUNK + 7]
    await asyncio.gather(
        *(
            counts[process].record("r", f"001-{number:06d}", "problem", {MADE: 1, "tokens": 10})
            for process in range(3)
            for number in numbers
            if (number + process) % 3  # two of the three count each brief
        )
    )
    for one in counts:
        assert await one.sums("r", 1, "problem") == {MADE: len(numbers), "tokens": 10 * len(numbers)}
        assert list(await one.made("r", 1, "problem")) == numbers
    assert not await counts[0].sums("r", 2, "problem")
    assert not await counts[0].sums("r", 1, "tests")
    assert not await counts[0].sums("r2", 1, "problem"), "a run whose name begins alike"


async def test_the_bus_keeps_a_few_bytes_for_thousands_of_briefs(buses: list[Bus]) -> None:
    counts = await RunningCounts.open(buses[0])
    for at in range(0, 5000, 1000):
        await asyncio.gather(
            *(counts.record("r", f"001-{number:06d}", "brief", {MADE: 1}) for number in range(at, at + 1000))
        )
    state = (await buses[0].jetstream.stream_info("KV_ucoder-counts")).state
    assert (state.messages, state.bytes < 2000) == (1, True)
    assert (await counts.sums("r", 1, "brief"))[MADE] == 5000


async def test_counts_move_to_another_bus_and_are_forgotten(buses: list[Bus]) -> None:
    counts, other = await RunningCounts.open(buses[0]), await RunningCounts.open(buses[1])
    for stage in ("brief", "consensus"):
        await counts.record("r", "001-000003", stage, {MADE: 1})
    saved = await counts.snapshot("r", 1)
    assert set(saved) == {"brief.0", "consensus.0"}
    await counts.forget("r", 1)
    assert await counts.snapshot("r", 1) == {}
    await other.record("r", "001-000003", "brief", {MADE: 1})
    await other.record("r", "001-000004", "brief", {MADE: 1})
    await counts.restore("r", 1, saved)
    assert (await counts.sums("r", 1, "brief"))[MADE] == 2, "a value that the bus has stays"
    await counts.record("r", "001-000003", "consensus", {MADE: 1})
    assert (await counts.sums("r", 1, "consensus"))[MADE] == 1, "a restored value counts no brief again"
    await counts.forget("r")
    assert await counts.snapshot("r", 1) == {}


async def test_all_ended_is_right_after_a_restart_on_an_empty_bus(buses: list[Bus]) -> None:
    """Then the bus has had fewer messages than the iteration has endings."""
    counts = await RunningCounts.open(buses[0])
    for number in range(50):
        await counts.record("r", f"001-{number:06d}", "consensus", {MADE: 1})
    assert await buses[0].last_sequence() == 0
    assert await (await RunningCounts.open(buses[1])).all_ended("r", 1, 50)


async def test_notes_are_seen_by_other_processes_until_they_are_removed(buses: list[Bus]) -> None:
    counts, other = await RunningCounts.open(buses[0]), await RunningCounts.open(buses[1])
    await counts.note("feeding.r", b"one")
    await other.note("feeding.s", b"two")
    assert await other.notes("feeding.*") == {"feeding.r": b"one", "feeding.s": b"two"}
    await other.note("feeding.r", b"")
    assert await counts.notes("feeding.*") == {"feeding.s": b"two"}
