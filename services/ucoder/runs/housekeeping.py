"""The regular work of the service: it restarts stalled runs, archives counts, and deletes runs whose time is over.

Every replica does it. That two do the same at once does no harm.
"""

import asyncio
import contextlib
import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import structlog

from ucoder.errors import Conflict, NotFound, UcoderError
from ucoder.runs.count_recovery import save_copy
from ucoder.runs.deletion import Deletion
from ucoder.runs.requeueing import requeue
from ucoder.runtime.messaging.bus import Bus
from ucoder.runtime.messaging.run_states import DELETING, RunState, RunStates
from ucoder.runtime.messaging.running_counts import RunningCounts
from ucoder.runtime.storage.artifacts import Artifacts
from ucoder.v1 import artifacts_pb2 as pb

SWEEP_SECONDS = 30.0
DAY = 86_400.0
log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class EndedRun:
    """A run that has ended, as the rule of retention sees it."""

    run: str
    owner: str
    seconds: float
    """When it ended, since the epoch."""


def expired(ended: Sequence[EndedRun], now: float, days: float, most: int) -> list[str]:
    """Returns the runs that ended more than `days` ago, and of each owner all but the `most` that ended last.

    0 sets no limit.
    """
    gone = {one.run for one in ended if days and one.seconds < now - days * DAY}
    of_owner: defaultdict[str, list[EndedRun]] = defaultdict(list)
    for one in ended:
        of_owner[one.owner].append(one)
    for runs in of_owner.values() if most else ():
        gone |= {one.run for one in sorted(runs, key=lambda one: one.seconds)[:-most]}
    return sorted(gone)


class Housekeeping:
    """Looks at every run again and again."""

    def __init__(
        self,
        artifacts: Artifacts,
        bus: Bus,
        states: RunStates,
        counts: RunningCounts,
        deletion: Deletion,
        days: float = 0.0,
        most: int = 0,
    ) -> None:
        """`days`, `most`: how long and how many ended runs of an owner are kept; 0 keeps all."""
        self._artifacts, self._bus, self._states, self._counts = artifacts, bus, states, counts
        self._deletion, self._days, self._most = deletion, days, most
        self._silent: set[str] = set()  # running runs without a message
        self._archived: set[tuple[str, float]] = set()
        self._created: dict[str, pb.Run] = {}

    async def run(self) -> None:
        """Sweeps until it is cancelled."""
        while True:
            await asyncio.sleep(SWEEP_SECONDS)
            try:
                await self.sweep()
            except UcoderError as error:  # the bus or the store is away; the next sweep finds the same work
                log.warning("housekeeping.failed", error=str(error))

    async def sweep(self) -> None:
        """Does what there is to do now."""
        states = await self._states.all()
        for run, state in states.items():
            with contextlib.suppress(NotFound, Conflict):  # it was deleted or resumed in the meantime
                if state.state == "running":
                    await self._restart_if_stalled(run)
                elif state.state == DELETING:
                    await self._deletion.finish(run)
                elif (run, state.seconds) not in self._archived:
                    await self._archive(run)
                    self._archived.add((run, state.seconds))
        for run in expired(await self._ended(states), time.time(), self._days, self._most):
            with contextlib.suppress(NotFound, Conflict):
                keys = await self._deletion.delete(run)
                log.info("run.expired", run=run, keys=keys)

    async def _restart_if_stalled(self, run: str) -> None:
        """Puts a run back on the bus that had no message there at two looks in a row.

        Before a message is acknowledged its products are announced, so a running run always has one. It has none when
        the bus lost its data, or when services of an older version worked on it, which counted nothing.
        """
        if await self._bus.has_messages(run):
            self._silent.discard(run)
        elif run not in self._silent:
            self._silent.add(run)
        else:
            self._silent.discard(run)
            requeued = await requeue(run, self._artifacts, self._counts, self._bus)
            log.warning("run.restarted", run=run, requeued=requeued, reason="the bus had no message of this run")

    async def _archive(self, run: str) -> None:
        """Moves the counts of an ended run from the bus into the store."""
        for name in await self._artifacts.names(run, "iteration"):
            if await save_copy(self._artifacts, self._counts, run, int(name)):
                await self._counts.forget(run, int(name))

    async def _ended(self, states: dict[str, RunState]) -> list[EndedRun]:
        """Returns the runs that have ended."""
        ended = []
        for run, state in states.items():
            if (self._days or self._most) and state.state not in ("running", DELETING):
                with contextlib.suppress(NotFound):
                    if run not in self._created:
                        self._created[run] = await self._artifacts.get(pb.Run, run, "000")
                    created = self._created[run]
                    # an older version did not write when a run ended
                    ended.append(EndedRun(run, created.owner, state.seconds or created.created.ToSeconds()))
        return ended
