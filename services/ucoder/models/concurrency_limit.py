"""The limit of concurrent requests to a server: it grows while the server keeps up and shrinks when it queues."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

SLOWDOWN_LIMIT = 8.0
"""Answers this many times slower per token than the best recent one show that the server queues; batching alone slows
them down by less."""
RECENT_ANSWERS = 256
"""Number of answers among which the best is searched, so that a machine that stays slower is not taken for a queue."""


class ConcurrencyLimit:
    """A limit that follows TCP's congestion control (Jacobson 1988): slow start, additive increase, multiplicative cut.

    It doubles in each round until the first sign of overload, then grows by one a round. All answers of one round show
    the same overload, so the limit is cut at most once a round. Slow answers alone never cut it below its start value,
    because small batches on a busy machine would be slower still; refusals do.
    """

    def __init__(self, start: float = 16, most: float = 512) -> None:
        self._limit, self._start, self._most = start, start, most
        self._under_way = 0
        self._recent: deque[float] = deque(maxlen=RECENT_ANSWERS)
        self._slow_start = True
        self._ignored = 0  # answers still to come of the round that made the limit shrink
        self._changed = asyncio.Condition()

    @property
    def value(self) -> int:
        """The number of requests that are allowed at once now."""
        return int(self._limit)

    @asynccontextmanager
    async def slot(self) -> AsyncIterator[None]:
        """Waits until one more request is allowed, and holds its place while the block runs."""
        async with self._changed:
            await self._changed.wait_for(lambda: self._under_way < self.value)
            self._under_way += 1
        try:
            yield
        finally:
            self._under_way -= 1
            async with self._changed:
                self._changed.notify_all()

    def record_answer(self, seconds_per_token: float) -> None:
        """Adapts the limit to the speed of an answer."""
        self._recent.append(seconds_per_token)
        if seconds_per_token > SLOWDOWN_LIMIT * min(self._recent):
            self._shrink(0.9, min(self._limit, self._start))
        elif 2 * self._under_way > self.value:  # a limit that is never reached gives no reason to grow
            self._limit = min(self._most, self._limit + (1 if self._slow_start else 1 / self._limit))
        self._ignored = max(0, self._ignored - 1)

    def record_refusal(self) -> None:
        """Shrinks the limit because the server refused a request or failed."""
        self._shrink(0.7, 1.0)
        self._ignored = max(0, self._ignored - 1)

    def _shrink(self, share: float, least: float) -> None:
        self._slow_start = False
        if not self._ignored:
            self._limit = max(least, self._limit * share)
            self._ignored = self._under_way
