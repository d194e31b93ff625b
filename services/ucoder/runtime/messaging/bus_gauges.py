"""The gauges of the bus: how long each queue is and how old, how many dead letters there are, how full the bus is.

Every replica of the service sets them, to the same values: a query takes their maximum.
"""

import asyncio
import time

import structlog

from ucoder.errors import UcoderError
from ucoder.flow import FLOW
from ucoder.runtime.messaging.bus import Bus
from ucoder.runtime.messaging.dead_letters import DeadLetters
from ucoder.runtime.metrics import Metrics

EVERY_SECONDS = 15.0
log = structlog.get_logger()


class BusGauges:
    """Reads the bus and sets the gauges."""

    def __init__(self, bus: Bus, metrics: Metrics) -> None:
        self._bus, self._dead_letters, self._metrics = bus, DeadLetters(bus), metrics

    async def run(self) -> None:
        """Reads again and again until it is cancelled."""
        while True:
            try:
                await self.read()
            except UcoderError as error:
                log.warning("gauges.failed", error=str(error))
            await asyncio.sleep(EVERY_SECONDS)

    async def read(self) -> None:
        """Reads the bus once and sets the gauges."""
        for arrow in FLOW:
            queue, since = await self._bus.queue(arrow.name), await self._bus.oldest(arrow.source)
            for state in ("waiting", "working", "redelivered"):
                self._metrics.queue_messages.labels(arrow.name, state).set(getattr(queue, state))
            self._metrics.queue_oldest.labels(arrow.name).set(max(0.0, time.time() - since) if since else 0)
        self._metrics.dead_letters.set(await self._dead_letters.count())
        used, limit = await self._bus.storage()
        self._metrics.bus_bytes.set(used)
        self._metrics.bus_limit_bytes.set(limit)
