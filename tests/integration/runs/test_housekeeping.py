"""Tests of the housekeeping on a real bus and store: stalled runs go on, runs are archived, deleted and expire."""

import time
from collections.abc import AsyncIterator, Callable

import grpc
import pytest
from nats.js.api import RetentionPolicy

from ucoder.errors import Conflict, NotFound
from ucoder.runs import deletion
from ucoder.runs.count_recovery import copy_key
from ucoder.runs.housekeeping import Housekeeping
from ucoder.runs.run_config import load
from ucoder.runs.run_status import StatusReader
from ucoder.runtime.app import serving
from ucoder.runtime.context import ServiceContext
from ucoder.runtime.messaging.bus import STREAM
from ucoder.runtime.messaging.count_chunks import MADE
from ucoder.runtime.settings import Settings
from ucoder.v1 import artifacts_pb2 as pb
from ucoder.v1 import runs_pb2, runs_pb2_grpc


@pytest.fixture
async def context(nats_url: str, make_settings: Callable[..., Settings]) -> AsyncIterator[ServiceContext]:
    async with ServiceContext.open(make_settings(nats_url=nats_url), ()) as opened:
        yield opened


async def store_run(context: ServiceContext, run: str = "r", ended: int = 3, owner: str = "") -> None:
    """Stores a run in its first iteration, as an older version did: it counted nothing, and kept a ledger of keys."""
    await context.artifacts.save(run, pb.Run(id=run, format=1, owner=owner, config=load(preset="demo")))
    await context.artifacts.save(run, pb.Iteration(run=run, index=1, decision=pb.DECISION_CONTINUE))
    for number in range(4):
        brief = pb.Brief(run=run, iteration=1, number=number)
        await context.artifacts.save(run, brief)
        if number < ended:
            await context.artifacts.save(run, pb.Consensus(brief=brief, ending=pb.ENDING_ABSTAINED))
        await context.artifacts.store.create(f"{run}/ledger/001/{number:06d}.tokens-problem.7", b"")
        await context.artifacts.store.create(f"{run}/ledger/001/{number:06d}.spare.5", b"")
    await context.artifacts.store.create(f"{run}/ledger/001/grant.000000", b"")
    await context.states.begin(run)


def housekeeping_of(context: ServiceContext, days: float = 0, most: int = 0) -> Housekeeping:
    removal = deletion.Deletion(context.bus, context.states, context.counts, context.artifacts.store)
    return Housekeeping(context.artifacts, context.bus, context.states, context.counts, removal, days, most)


async def test_a_run_of_an_older_version_goes_on_with_what_it_had_counted_and_spent(context: ServiceContext) -> None:
    """The older version's stream kept all messages for ever, so nothing could be announced again."""
    config = (await context.bus.jetstream.stream_info(STREAM)).config
    await context.bus.jetstream.update_stream(config, retention=RetentionPolicy.LIMITS)
    await store_run(context)
    for name in await context.artifacts.names("r", "brief"):
        ref = await context.artifacts.find("r", "brief", name)
        assert ref
        await context.bus.publish(ref)
    taken = await context.bus.jetstream.pull_subscribe_bind("brief_to_problem", STREAM)
    for message in await taken.fetch(4):
        await message.ack_sync(timeout=5)
    assert await context.bus.has_messages("r"), "acknowledged messages stay"
    await context.bus.drop_acknowledged()
    assert not await context.bus.has_messages("r")
    housekeeping = housekeeping_of(context)
    await housekeeping.sweep()
    assert not await context.bus.has_messages("r"), "one look may fall between two messages"
    await housekeeping.sweep()
    assert (await context.bus.queue("brief_to_problem")).waiting == 1
    assert (await context.bus.queue("consensus_to_dataset")).waiting == 1, "the last ending, for the count"
    assert (await context.counts.sums("r", 1, "consensus")) == {MADE: 3, "abstained": 3}
    totals = await context.ledger.totals("r", 1)
    assert totals.sums == {"tokens-problem": 28, "tokens": 28, "spare": 20}
    assert totals.granted == 1
    await housekeeping.sweep()
    await housekeeping.sweep()
    assert (await context.bus.queue("brief_to_problem")).waiting == 1, "a run with messages is left alone"


async def test_an_ended_run_is_counted_from_its_copy_in_the_store(context: ServiceContext) -> None:
    await store_run(context, ended=4)
    reader, run = StatusReader(context.artifacts, context.counts), await context.artifacts.get(pb.Run, "r", "000")
    before = await reader.read(run, await context.states.get("r"))
    assert (before.briefs, before.abstained, before.made["consensus"]) == (4, 4, 4)
    await context.states.end("r", "failed", "no GPU")
    await housekeeping_of(context).sweep()
    assert await context.counts.snapshot("r", 1) == {}
    assert await context.artifacts.store.get(copy_key("r", 1))
    after = await StatusReader(context.artifacts, context.counts).read(run, await context.states.get("r"))
    assert (after.briefs, after.abstained, after.made) == (4, 4, before.made)
    assert after.ended.ToSeconds() == pytest.approx(time.time(), abs=60)


async def test_a_deleted_run_leaves_nothing_and_is_not_resumed(
    context: ServiceContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    await store_run(context)
    await store_run(context, "r2")
    ref = await context.artifacts.find("r", "brief", "001-000003")
    assert ref
    await context.bus.publish(ref)
    removal = deletion.Deletion(context.bus, context.states, context.counts, context.artifacts.store)
    with pytest.raises(Conflict, match="r is running; cancel it first"):
        await removal.delete("r")
    await context.states.end("r", "cancelled", "enough")
    assert await removal.count_keys("r") == await removal.delete("r") == 18
    with pytest.raises(Conflict, match="is being deleted"):
        await context.states.reopen("r")
    await context.artifacts.save("r", pb.Brief(run="r", iteration=1, number=9))  # a stage that was still at work
    await housekeeping_of(context).sweep()
    assert await context.artifacts.store.keys("r") == []
    assert not await context.bus.has_messages("r")
    assert (await context.states.get("r")).state == "deleting", "a stage may still be at work"
    monkeypatch.setattr(deletion, "STRAGGLER_SECONDS", -1.0)
    await housekeeping_of(context).sweep()
    with pytest.raises(NotFound):
        await context.states.get("r")
    with pytest.raises(Conflict, match="choose another id"):
        await removal.refuse_deleted("r")
    assert len(await context.artifacts.store.keys("r2")) == 18, "a run whose name begins alike stays"


async def test_the_service_deletes_ended_runs_beyond_those_that_are_kept(
    context: ServiceContext, make_settings: Callable[..., Settings]
) -> None:
    for number in range(3):
        await store_run(context, f"ann{number}", owner="ann")
        await context.states.end(f"ann{number}", "succeeded", "")
    await store_run(context, "bob", owner="bob")
    await housekeeping_of(context, most=2).sweep()
    states = {run: state.state for run, state in (await context.states.all()).items()}
    assert states == {"ann0": "deleting", "ann1": "succeeded", "ann2": "succeeded", "bob": "running"}


async def test_delete_run_over_grpc_counts_first_and_hides_the_run(
    nats_url: str, make_settings: Callable[..., Settings]
) -> None:
    async with (
        serving(make_settings(nats_url=nats_url), ("runs",)) as context,
        grpc.aio.insecure_channel(context.address) as channel,
    ):
        runs = runs_pb2_grpc.RunServiceStub(channel)
        await store_run(context)
        await context.states.end("r", "failed", "no GPU")
        counted = (await runs.DeleteRun(runs_pb2.DeleteRunRequest(id="r", dry_run=True))).keys
        assert counted == len(await context.artifacts.store.keys("r"))
        assert (await runs.GetRun(runs_pb2.GetRunRequest(id="r"))).status.id == "r"
        assert (await runs.DeleteRun(runs_pb2.DeleteRunRequest(id="r"))).keys == counted
        for call in (runs.GetRun(runs_pb2.GetRunRequest(id="r")), runs.ResumeRun(runs_pb2.ResumeRunRequest(id="r"))):
            with pytest.raises(grpc.aio.AioRpcError, match=r"NOT_FOUND|is being deleted"):
                await call
        assert not (await runs.ListRuns(runs_pb2.ListRunsRequest())).runs
        with pytest.raises(grpc.aio.AioRpcError, match="choose another id"):
            await runs.CreateRun(runs_pb2.CreateRunRequest(id="r", config=load(preset="demo")))
