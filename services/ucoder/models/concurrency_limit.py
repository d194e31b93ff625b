"""How many requests may be under way: a limit that grows while the server keeps up and shrinks when it does not."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

SLOWDOWN_LIMIT = 8.0
"""Seconds per token, as a multiple of the best seen lately, that mean a queue in the server; batching costs less."""
RECENT_ANSWERS = 256
"""Answers that the best is taken from: a machine that has become slower for good is no queue."""


class ConcurrencyLimit:
    """TCP's way (Jacobson 1988): double each round until the first trouble, then add one a round; shrink by a share.

    One trouble is told by every answer of its round, so the limit shrinks once a round at most. Slowness alone never
    takes it below where it started: a small batch on a machine that others load is slower still. Refusals do.
    """

    def __init__(self, start: float = 16, most: float = 512) -> None:
        self._limit, self._start, self._most = start, start, most
        self._under_way = 0
        self._lately: deque[float] = deque(maxlen=RECENT_ANSWERS)
        self._untroubled = True
        self._deaf = 0  # answers that still belong to the round that made it shrink
        self._room = asyncio.Condition()

    @property
    def value(self) -> int:
        """Requests allowed at once now."""
        return int(self._limit)

    @asynccontextmanager
    async def slot(self) -> AsyncIterator[None]:
        """Waits for room for one request."""
        async with self._room:
            await self._room.wait_for(lambda: self._under_way < self.value)
            self._under_way += 1
        try:
            yield
        finally:
            self._under_way -= 1
            async with self._room:
                self._room.notify_all()

    def answered(self, seconds_per_token: float) -> None:
        """The server answered, so fast."""
        self._lately.append(seconds_per_token)
        if seconds_per_token > SLOWDOWN_LIMIT * min(self._lately):
            self._shrink(0.9, min(self._limit, self._start))
        elif 2 * self._under_way > self.value:  # a limit that nobody comes near teaches nothing
            self._limit = min(self._most, self._limit + (1 if self._untroubled else 1 / self._limit))
        self._deaf = max(0, self._deaf - 1)

    def refused(self) -> None:
        """The server said that it is too much, or broke down."""
        self._shrink(0.7, 1.0)
        self._deaf = max(0, self._deaf - 1)

    def _shrink(self, share: float, least: float) -> None:
        self._untroubled = False
        if not self._deaf:
            self._limit = max(least, self._limit * share)
            self._deaf = self._under_way
