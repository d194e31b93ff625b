"""Removes a run: its messages, dead letters, running counts, and everything that the store holds of it.

A run that is to be removed has the state `deleting` until nothing can write to it any more. So a process that is killed
in the middle, and a stage that was still at work, leave nothing behind: the housekeeping removes again what is there.
"""

import time

from ucoder.errors import Conflict, NotFound
from ucoder.runtime.messaging.bus import Bus
from ucoder.runtime.messaging.dead_letters import DeadLetters
from ucoder.runtime.messaging.run_states import DELETING, RunStates
from ucoder.runtime.messaging.running_counts import RunningCounts
from ucoder.runtime.storage.store import Store

STRAGGLER_SECONDS = 3600.0
"""A stage that began before a run was deleted has ended after this time."""


class Deletion:
    """Removes runs from bus and store."""

    def __init__(self, bus: Bus, states: RunStates, counts: RunningCounts, store: Store) -> None:
        self._bus, self._states, self._counts, self._store = bus, states, counts, store
        self._dead_letters = DeadLetters(bus)

    async def count_keys(self, run: str) -> int:
        """Returns how many keys of the store a deletion would remove. Raises Conflict while the run is running."""
        if (await self._states.get(run)).state == "running":
            raise Conflict(f"run {run} is running; cancel it first.")
        return sum([len(page) async for page in self._store.pages(run)])

    async def delete(self, run: str) -> int:
        """Removes a run that has ended, and returns how many keys the store had. Its id cannot be used again.

        Raises Conflict while the run is running, so of a deletion and a resumption at the same time one is refused.
        """
        count = await self.count_keys(run)
        await self._states.mark_deleting(run)
        await self._store.create(_deleted_key(run), b"")
        await self._remove(run)
        return count

    async def finish(self, run: str) -> None:
        """Removes what was written since `delete`, and forgets the run when nothing can be written any more."""
        state = await self._states.get(run)
        if state.state == DELETING:
            await self._store.create(_deleted_key(run), b"")
            await self._remove(run)
            if state.seconds < time.time() - STRAGGLER_SECONDS:
                await self._states.remove(run)

    async def refuse_deleted(self, run: str) -> None:
        """Raises Conflict for the id of a run that was deleted: processes may still remember that run."""
        try:
            await self._store.get(_deleted_key(run))
        except NotFound:
            return
        raise Conflict(f"a run {run} was deleted; choose another id.")

    async def _remove(self, run: str) -> None:
        await self._bus.purge(run)
        await self._dead_letters.purge(run)
        await self._counts.forget(run)
        await self._store.remove_folder(run)


def _deleted_key(run: str) -> str:
    return f"_deleted/{run}"  # no run has such an id
