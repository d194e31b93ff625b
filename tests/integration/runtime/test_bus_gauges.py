"""Tests of the gauges on a real bus: what a person sees of waiting, working, redelivered and dead messages."""

import asyncio
from collections.abc import Callable

from prometheus_client import CollectorRegistry

from ucoder.flow import FLOW
from ucoder.runtime.context import ServiceContext
from ucoder.runtime.messaging.bus_gauges import BusGauges
from ucoder.runtime.settings import Settings
from ucoder.v1 import artifacts_pb2 as pb


def value(registry: CollectorRegistry, name: str, **labels: str) -> float:
    found = registry.get_sample_value(name, labels)
    assert found is not None, name
    return found


async def test_the_gauges_say_what_waits_how_long_and_what_failed(
    nats_url: str, make_settings: Callable[..., Settings]
) -> None:
    async with ServiceContext.open(make_settings(nats_url=nats_url), ()) as context:
        registry, gauges = context.metrics.registry, BusGauges(context.bus, context.metrics)
        await gauges.read()
        assert value(registry, "ucoder_queue_oldest_seconds", arrow="brief_to_problem") == 0
        empty = value(registry, "ucoder_bus_bytes")
        refs = [pb.Ref(kind="brief", run="r", name=f"001-{number:06d}", sha256="0" * 64) for number in range(5)]
        for ref in refs:
            await context.bus.publish(ref)
        queue = await context.bus.jetstream.pull_subscribe_bind("brief_to_problem", "UCODER")
        first, second = await queue.fetch(2)
        await second.nak()
        await context.bus.client.flush()
        assert (await queue.fetch(1))[0].metadata.num_delivered == 2
        await context.dead_letters.add(FLOW[0], refs[0], "a reason", "")
        await asyncio.sleep(0.2)
        await gauges.read()
        counts = {
            state: value(registry, "ucoder_queue_messages", arrow="brief_to_problem", state=state)
            for state in ("waiting", "working", "redelivered")
        }
        assert counts == {"waiting": 3, "working": 2, "redelivered": 1}
        assert 0.2 <= value(registry, "ucoder_queue_oldest_seconds", arrow="brief_to_problem") < 60
        assert value(registry, "ucoder_dead_letters") == 1
        assert value(registry, "ucoder_bus_bytes") > empty
        assert value(registry, "ucoder_bus_limit_bytes") >= 0
        assert 0 < value(registry, "ucoder_disk_free_ratio", folder="store") < 1
        assert 0 < value(registry, "ucoder_disk_free_ratio", folder="cache") < 1
        await first.ack_sync(timeout=5)
