"""Makes the streams and consumers that are missing on the bus."""

import asyncio

from ucoder.runtime.bus import Bus
from ucoder.runtime.settings import load


async def main() -> None:
    bus = await Bus.connect(load())
    await bus.close()
    print("declared")


asyncio.run(main())
