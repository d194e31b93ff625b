"""Tests that a run goes on from the store alone: only artefacts without a product go back on the bus."""

from collections.abc import Callable

from ucoder.flow import FLOW
from ucoder.runs.requeueing import requeue
from ucoder.runtime.messaging.bus import Bus, parse_ref
from ucoder.runtime.messaging.run_states import RunStates
from ucoder.runtime.messaging.running_counts import RunningCounts
from ucoder.runtime.settings import Settings
from ucoder.runtime.storage.artifacts import Artifacts
from ucoder.runtime.storage.store import Store
from ucoder.v1 import artifacts_pb2 as pb


def brief(number: int) -> pb.Brief:
    return pb.Brief(run="r", iteration=1, number=number)


async def test_only_artefacts_without_a_product_are_put_back(
    nats_url: str, make_settings: Callable[..., Settings]
) -> None:
    settings = make_settings(nats_url=nats_url)
    artifacts, bus = Artifacts(Store(settings)), await Bus.connect(settings)
    try:
        for number in range(4):
            await artifacts.save("r", brief(number))
        await artifacts.save("r", pb.Iteration(run="r", index=1, decision=pb.DECISION_CONTINUE))
        await artifacts.save("r", pb.Problem(brief=brief(1), prompt="p"))
        await artifacts.save("r", pb.Consensus(brief=brief(2), ending=pb.ENDING_DROPPED))
        await artifacts.save("r", pb.Consensus(brief=brief(3), ending=pb.ENDING_DROPPED))
        counts = await RunningCounts.open(bus)
        for _ in range(2):  # a second time changes nothing
            assert await requeue("r", artifacts, counts, bus) == 4
        assert (await counts.sums("r", 1, "brief")) == {"made": 4}
        assert (await counts.sums("r", 1, "consensus")) == {"made": 2, "dropped:.": 2}
        queued = {}
        for arrow in FLOW:
            queue = await bus.jetstream.pull_subscribe_bind(consumer=arrow.name, stream="UCODER")
            info = await queue.consumer_info()
            if info.num_pending:
                queued[arrow.name] = [parse_ref(message.data).name for message in await queue.fetch(info.num_pending)]
        assert queued == {
            "iteration_to_brief": ["001"],
            "brief_to_problem": ["001-000000"],
            "problem_to_tests": ["001-000001"],
            "consensus_to_dataset": ["001-000003"],
        }
    finally:
        await bus.close()


async def test_a_run_ends_once_and_can_be_reopened(nats_url: str, make_settings: Callable[..., Settings]) -> None:
    bus = await Bus.connect(make_settings(nats_url=nats_url))
    try:
        states = await RunStates.open(bus)
        await states.begin("r")
        await states.end("r", "failed", "no GPU")
        assert (await states.end("r", "succeeded", "")).state == "failed"
        await states.begin("r")
        assert (await states.get("r")).state == "failed"
        await states.reopen("r")
        assert (await states.get("r")).state == "running"
        assert set(await states.all()) == {"r"}
    finally:
        await bus.close()
