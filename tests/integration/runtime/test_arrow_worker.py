"""Tests of the worker's rules on a real nats-server: each failure that they cover is caused on purpose."""

import asyncio
import contextlib
import copy
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
from nats.aio.msg import Msg

from ucoder.errors import Reject, Retry
from ucoder.flow import FLOW
from ucoder.runtime.context import ServiceContext
from ucoder.runtime.messaging.arrow_worker import ArrowWorker, Dropped
from ucoder.runtime.messaging.count_chunks import MADE
from ucoder.runtime.messaging.running_counts import RunningCounts
from ucoder.runtime.settings import Settings
from ucoder.v1 import artifacts_pb2 as pb

ARROW = next(arrow for arrow in FLOW if arrow.name == "brief_to_problem")
RUN = "r"


class Bench:
    """A bus, a store, and workers of one arrow."""

    def __init__(self, context: ServiceContext) -> None:
        self.context, self.settings, self.bus, self.states = context, context.settings, context.bus, context.states
        self.artifacts, self.dead_letters = context.artifacts, context.dead_letters

    async def send(self, number: int) -> pb.Ref:
        ref = await self.artifacts.save(RUN, pb.Brief(run=RUN, iteration=1, number=number))
        await self.bus.publish(ref)
        return ref

    @contextlib.asynccontextmanager
    async def working(self, run: Callable[[Any, pb.Run], Awaitable[Any]], **changes: Any) -> AsyncIterator[ArrowWorker]:
        context = copy.copy(self.context)
        context.settings = self.settings.model_copy(update=changes)
        worker = ArrowWorker(ARROW, run, context)
        task = asyncio.create_task(worker.work())
        try:
            yield worker
        finally:
            worker.drain()
            await task

    async def until(self, kind: str, count: int, seconds: float = 15) -> None:
        async with asyncio.timeout(seconds):
            while (await self.context.counts.sums(RUN, 1, kind))[MADE] < count:
                await asyncio.sleep(0.02)

    async def settled(self) -> None:
        """Returns when no message waits and none is unacknowledged."""
        async with asyncio.timeout(15):
            while True:
                info = await self.bus.jetstream.consumer_info("UCODER", ARROW.name)
                if info.num_pending == 0 and info.num_ack_pending == 0:
                    return
                await asyncio.sleep(0.05)


@pytest.fixture
async def bench(nats_url: str, make_settings: Callable[..., Settings]) -> AsyncIterator[Bench]:
    async with ServiceContext.open(make_settings(nats_url=nats_url, attempts=2), ()) as context:
        await context.states.begin(RUN)
        await context.artifacts.save(RUN, pb.Run(id=RUN, format=1))
        yield Bench(context)


def problem(brief: pb.Brief) -> pb.Problem:
    return pb.Problem(brief=brief, prompt=f"problem {brief.number}")


async def test_two_workers_share_the_messages_and_each_is_worked_on_once(bench: Bench) -> None:
    worked: list[int] = []

    async def run(brief: pb.Brief, run: pb.Run) -> pb.Problem:
        worked.append(brief.number)
        await asyncio.sleep(0.01)
        return problem(brief)

    async with bench.working(run), bench.working(run):
        for number in range(100):
            await bench.send(number)
        await bench.until("problem", 100)
        await bench.settled()
    assert sorted(worked) == list(range(100))
    assert (await bench.artifacts.get(pb.Problem, RUN, "001-000007")).prompt == "problem 7"


async def test_a_queued_artefact_is_refused_a_second_time_and_an_acknowledged_one_leaves_nothing(bench: Bench) -> None:
    async def run(brief: pb.Brief, run: pb.Run) -> pb.Problem:
        return problem(brief)

    ref = await bench.send(0)
    assert not await bench.bus.publish(ref)
    assert not await bench.bus.requeue(ref)
    assert (await bench.bus.queue(ARROW.name)).waiting == 1
    async with bench.working(run):
        await bench.settled()
    state = (await bench.bus.jetstream.stream_info("UCODER", subjects_filter="ucoder.brief.>")).state
    assert not state.subjects
    assert await bench.bus.requeue(ref), "nothing stands in the way of a retry"
    assert (await bench.bus.queue(ARROW.name)).waiting == 1


async def test_all_ended_sees_the_last_ending_and_reads_the_counts_seldom(bench: Bench) -> None:
    reads = 0

    async def look(message: Msg) -> None:
        nonlocal reads
        reads += 1

    await bench.bus.client.subscribe("$JS.API.STREAM.MSG.GET.KV_ucoder-counts", cb=look)
    other = await RunningCounts.open(bench.bus)  # another replica, which sees every third announcement
    counts = bench.context.counts
    for number in range(300):
        assert not await (other if number % 3 == 2 else counts).all_ended(RUN, 1, 300)
        ending = pb.Consensus(brief=pb.Brief(run=RUN, iteration=1, number=number), ending=pb.ENDING_ABSTAINED)
        ref = await bench.artifacts.save(RUN, ending)
        for _ in range(2):  # a redelivered one counts once
            await counts.record(RUN, ref.name, "consensus", {MADE: 1, "abstained": 1})
        await bench.bus.publish(ref)
    assert await other.all_ended(RUN, 1, 300)
    assert await counts.all_ended(RUN, 1, 300)
    assert not await counts.all_ended(RUN, 2, 1), "an iteration of its own"
    await bench.bus.requeue(ref)
    assert await counts.all_ended(RUN, 1, 300)
    assert await counts.sums(RUN, 1, "consensus") == {MADE: 300, "abstained": 300}
    assert 3 < reads < 40


async def test_a_product_made_before_a_crash_is_not_made_again(bench: Bench) -> None:
    await bench.artifacts.save(RUN, pb.Problem(brief=pb.Brief(run=RUN, iteration=1, number=0), prompt="first"))

    async def run(brief: pb.Brief, run: pb.Run) -> pb.Problem:
        raise AssertionError("must not run again")

    await bench.send(0)
    async with bench.working(run):
        await bench.until("problem", 1)
        await bench.settled()
    assert (await bench.artifacts.get(pb.Problem, RUN, "001-000000")).prompt == "first"


async def test_a_transient_failure_is_retried(bench: Bench) -> None:
    attempts = 0

    async def run(brief: pb.Brief, run: pb.Run) -> pb.Problem:
        nonlocal attempts
        attempts += 1
        if attempts < 3:
            raise Retry("the model server is starting")
        return problem(brief)

    await bench.send(0)
    async with bench.working(run):
        await bench.until("problem", 1)
    assert attempts == 3


@pytest.mark.parametrize(
    ("error", "attempts", "words"),
    [(Reject("cannot be read"), 1, "cannot be read"), (ZeroDivisionError("a bug"), 2, "ZeroDivisionError('a bug')")],
)
async def test_a_permanent_failure_ends_the_brief_and_writes_a_dead_letter(
    bench: Bench, error: Exception, attempts: int, words: str
) -> None:
    tried = 0

    async def run(brief: pb.Brief, run: pb.Run) -> pb.Problem:
        nonlocal tried
        if brief.number == 1:
            return problem(brief)
        tried += 1
        raise error

    await bench.send(0)
    await bench.send(1)
    async with bench.working(run):
        await bench.until("consensus", 1)
        await bench.until("problem", 1)
        await bench.settled()
    ended = await bench.artifacts.get(pb.Consensus, RUN, "001-000000")
    assert (ended.ending, ended.stage, ended.reason) == (pb.ENDING_DROPPED, "generator", "dead_letter")
    [letter] = await bench.dead_letters.all()
    assert (letter.arrow, letter.name, letter.reason) == (ARROW.name, "001-000000", words)
    assert "Traceback" in letter.trace
    assert tried == attempts


async def test_a_brief_that_a_stage_drops_ends_with_its_reason(bench: Bench) -> None:
    async def run(brief: pb.Brief, run: pb.Run) -> Dropped:
        return Dropped("duplicate", "seen before")

    await bench.send(0)
    async with bench.working(run):
        await bench.until("consensus", 1)
    ended = await bench.artifacts.get(pb.Consensus, RUN, "001-000000")
    assert (ended.reason, ended.detail) == ("duplicate", "seen before")


async def test_a_slow_stage_keeps_its_message(bench: Bench) -> None:
    worked = 0

    async def run(brief: pb.Brief, run: pb.Run) -> pb.Problem:
        nonlocal worked
        worked += 1
        await asyncio.sleep(2.5 * bench.settings.ack_wait_seconds)
        return problem(brief)

    await bench.send(0)
    async with bench.working(run), bench.working(run):
        await bench.until("problem", 1)
        await bench.settled()
    assert worked == 1


async def test_a_message_that_a_draining_worker_cannot_finish_goes_to_another(bench: Bench) -> None:
    async def forever(brief: pb.Brief, run: pb.Run) -> pb.Problem:
        started.set()
        await asyncio.sleep(3600)
        raise AssertionError

    async def run(brief: pb.Brief, run: pb.Run) -> pb.Problem:
        return problem(brief)

    started = asyncio.Event()
    await bench.send(0)
    async with bench.working(forever, drain_seconds=0.1):
        await started.wait()
    async with bench.working(run):
        await bench.until("problem", 1)


async def test_messages_of_a_cancelled_run_are_not_worked_on(bench: Bench) -> None:
    async def run(brief: pb.Brief, run: pb.Run) -> pb.Problem:
        raise AssertionError("must not run: the run is cancelled")

    ended = await bench.states.end(RUN, "cancelled", "enough")
    assert (await bench.states.end(RUN, "failed", "too late")) == ended
    await bench.send(0)
    async with bench.working(run):
        await bench.settled()
    assert await bench.artifacts.names(RUN, "problem") == []
    assert await bench.dead_letters.all() == []


async def test_unreadable_messages_become_dead_letters(bench: Bench) -> None:
    async def run(brief: pb.Brief, run: pb.Run) -> pb.Problem:
        return problem(brief)

    nameless = [
        json.dumps({"kind": kind, "run": "r", "name": name, "sha256": "0" * 64}).encode()
        for kind, name in (("brief", "junk"), ("junk", "001-000000"))
    ]
    for number, body in enumerate([b"", b"junk", b'{"kind": "brief"}', b"\xff\xfe", b'{"unknown": 1}', *nameless]):
        await bench.bus.jetstream.publish(f"ucoder.brief.r.junk{number}", body)
    await bench.send(0)
    async with bench.working(run):
        await bench.until("problem", 1)
        await bench.settled()
    assert len(await bench.dead_letters.all()) == 7


async def test_dead_letters_can_be_dropped_and_retried(bench: Bench) -> None:
    broken = True

    async def run(brief: pb.Brief, run: pb.Run) -> pb.Problem:
        if broken:
            raise Reject("not yet")
        return problem(brief)

    for number in range(2):
        await bench.send(number)
    async with bench.working(run):
        await bench.until("consensus", 2)
        await bench.settled()
    first, second = await bench.dead_letters.all()
    await bench.dead_letters.drop(first.sequence)
    assert [letter.sequence for letter in await bench.dead_letters.all()] == [second.sequence]
    await bench.dead_letters.retry(second.sequence)
    assert await bench.dead_letters.all() == []
