"""`declare`: makes the streams and consumers that are missing. `resize`: gives streams the replicas that are wanted."""

import asyncio
import sys

from ucoder.errors import Misconfigured
from ucoder.runtime.messaging.bus import DEAD, STREAM, Bus
from ucoder.runtime.messaging.run_states import BUCKET, RunStates
from ucoder.runtime.settings import load


async def main(job: str) -> None:
    try:
        bus = await Bus.connect(load())
    except Misconfigured as error:
        if job == "resize":
            raise
        # An upgrade that mends the bus, or changes how it is reached, must not wait for it.
        print(f"not declared: {error} Each service does it again when it starts.")
        return
    await RunStates.open(bus)
    if job == "resize":
        await bus.resize([STREAM, DEAD, f"KV_{BUCKET}"])
    await bus.close()
    print(f"{job}: done")


asyncio.run(main(sys.argv[1]))
