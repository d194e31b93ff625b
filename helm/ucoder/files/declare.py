"""Makes missing streams and consumers (`declare`), or gives the streams as many replicas as configured (`resize`)."""

import asyncio
import sys

from ucoder.errors import Misconfigured
from ucoder.runtime.messaging.bus import DEAD_STREAM, STREAM, Bus
from ucoder.runtime.messaging.run_states import BUCKET, RunStates
from ucoder.runtime.messaging.running_counts import COUNTS_BUCKET, RunningCounts
from ucoder.runtime.settings import load


async def main(job: str) -> None:
    try:
        bus = await Bus.connect(load())
    except Misconfigured as error:
        if job == "resize":
            raise
        # An upgrade that repairs the bus, or changes its address, must not wait for the bus.
        print(f"not declared: {error} Each service makes its streams and consumers when it starts.")
        return
    await RunStates.open(bus)
    await RunningCounts.open(bus)
    for name in (STREAM, DEAD_STREAM, f"KV_{BUCKET}", f"KV_{COUNTS_BUCKET}"):
        config = (await bus.jetstream.stream_info(name)).config
        replicas = config.num_replicas or 1
        if replicas > bus.replicas:  # the servers that go would take the majority of each stream with them
            raise SystemExit(
                f"{name} is kept by {replicas} servers: nats.replicas cannot be lowered to {bus.replicas}."
            )
        if job == "resize" and replicas < bus.replicas:
            await bus.jetstream.update_stream(config, num_replicas=bus.replicas)
    await bus.close()
    print(f"{job}: done")


asyncio.run(main(sys.argv[1]))
