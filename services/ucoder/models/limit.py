"""How many requests may be under way: a limit that grows while the server keeps up and shrinks when it does not."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

SLOW = 8.0
"""Seconds per token, as a multiple of the best seen, that mean a queue inside the server; batching alone costs less."""


class Limit:
    """TCP's way (Jacobson 1988): double each round until the first trouble, then add one a round; shrink by a share."""

    def __init__(self, start: float = 16, most: float = 512) -> None:
        self._limit, self._most = start, most
        self._under_way = 0
        self._best = float("inf")
        self._untroubled = True
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
        self._best = min(self._best, seconds_per_token)
        if seconds_per_token > SLOW * self._best:
            self._shrink(0.9)
        elif 2 * self._under_way > self.value:  # a limit that nobody comes near teaches nothing
            self._limit = min(self._most, self._limit + (1 if self._untroubled else 1 / self._limit))

    def refused(self) -> None:
        """The server said that it is too much, or broke down."""
        self._shrink(0.7)

    def _shrink(self, share: float) -> None:
        self._untroubled = False
        self._limit = max(1.0, self._limit * share)
