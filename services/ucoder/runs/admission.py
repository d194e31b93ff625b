"""Decides how many briefs of each run may be under way, so that the bus stays small and owners share the services.

All briefs at once would fill the bus, and one owner's million would stand before another's ten. So a run announces its
briefs as room comes free. The services together get as many briefs as they work on, and about as many that wait; each
owner gets an equal share of that, by the weight of the runs, whether he has one run or a hundred.
"""

import asyncio
import json
import time
from dataclasses import asdict, dataclass

from ucoder.flow import BRIEF_KINDS, FLOW
from ucoder.runtime.messaging.bus import Bus
from ucoder.runtime.messaging.count_chunks import MADE
from ucoder.runtime.messaging.running_counts import RunningCounts
from ucoder.v1 import artifacts_pb2 as pb
from ucoder.v1 import config_pb2

TICK_SECONDS = 0.5
LEAST, MOST = 128, 20_000
"""Bounds of the number of briefs that may wait in all queues together."""
STALE_SECONDS = 30.0
"""An entry of this age belongs to a process that has ended."""
WEIGHTS = {config_pb2.PRIORITY_LOW: 1, config_pb2.PRIORITY_UNSPECIFIED: 4, config_pb2.PRIORITY_HIGH: 16}


@dataclass(frozen=True, slots=True)
class Feeding:
    """A run that still has briefs to announce."""

    run: str
    owner: str
    weight: int
    seconds: float
    """When the entry was written, since the epoch."""


class Admission:
    """The shares of all runs that have briefs to announce. Each process of the service sees those of all processes."""

    def __init__(self, bus: Bus, counts: RunningCounts) -> None:
        self._bus, self._counts = bus, counts
        self._looking = asyncio.Lock()
        self._looked, self._asked = 0.0, dict[str, float]()
        self._feeding: list[Feeding] = []
        self._window, self._waiting_most = 0, LEAST

    async def room(self, run: pb.Run, iteration: int) -> int:
        """Returns how many more briefs of a run may be announced now; waits for the next look at the queues."""
        own = Feeding(run.id, run.owner, WEIGHTS.get(run.config.loop.priority, 4), time.time())
        if run.id not in {one.run for one in self._feeding if own.seconds - one.seconds < STALE_SECONDS / 3}:
            await self._counts.note(f"feeding.{run.id}", json.dumps(asdict(own)).encode())
            self._feeding = [one for one in self._feeding if one.run != run.id] + [own]
        await asyncio.sleep(self._asked.get(run.id, 0.0) + TICK_SECONDS - time.monotonic())
        self._asked[run.id] = time.monotonic()
        async with self._looking:
            if self._looked + TICK_SECONDS / 2 < time.monotonic():
                await self._look()
        begun = (await self._counts.sums(run.id, iteration, "brief"))[MADE]
        ended = (await self._counts.sums(run.id, iteration, "consensus"))[MADE]
        return max(0, int(self._window * share(own, self._feeding)) - (begun - ended))

    async def finished(self, run: str) -> None:
        """Gives the share of a run to the others."""
        await self._counts.note(f"feeding.{run}", b"")
        self._asked.pop(run, None)
        self._feeding = [one for one in self._feeding if one.run != run]

    async def _look(self) -> None:
        """Reads the queues and the other runs, and sets how many briefs may be under way in all."""
        waiting = working = 0
        for arrow in FLOW:
            if arrow.source in BRIEF_KINDS:
                queue = await self._bus.queue(arrow.name)
                waiting, working = waiting + queue.waiting, working + queue.working
        if not waiting:
            self._waiting_most = min(MOST, 2 * self._waiting_most)
        elif waiting > max(LEAST, working):
            self._waiting_most = max(LEAST, self._waiting_most // 2)
        self._window = max(LEAST, working, self._waiting_most) + working
        entries = (await self._counts.notes("feeding.*")).values()
        alive = time.time() - STALE_SECONDS
        self._feeding = [
            one for one in (Feeding(**json.loads(text)) for text in entries if text) if one.seconds > alive
        ]
        self._looked = time.monotonic()


def share(own: Feeding, feeding: list[Feeding]) -> float:
    """Returns the share of a run, from 0 to 1: that of its owner, split among the owner's runs by weight.

    An owner counts with the weight of his most urgent run, so that more runs give him no larger share.
    """
    owners: dict[str, list[Feeding]] = {}
    for one in [*(one for one in feeding if one.run != own.run), own]:
        owners.setdefault(one.owner, []).append(one)
    weights = {owner: max(one.weight for one in runs) for owner, runs in owners.items()}
    return weights[own.owner] / sum(weights.values()) * own.weight / sum(one.weight for one in owners[own.owner])
