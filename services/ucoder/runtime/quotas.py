"""The quota of each caller: a token bucket of programs, or of requests, that refills by the minute."""

import time
from collections.abc import Callable

from ucoder.errors import Overloaded, Reject


class Quotas:
    """The token buckets of all callers in one process.

    Callers are distinguished by their tokens; callers without a token share a bucket. A bucket that is full again is
    forgotten, so that buckets do not accumulate.
    """

    def __init__(self, per_minute: int = 0, clock: Callable[[], float] = time.monotonic) -> None:
        """0 is no limit. A full bucket holds what is allowed in one minute."""
        self._per_minute, self._clock = per_minute, clock
        self._used: dict[str, tuple[float, float]] = {}
        """By caller: what was taken and has not been refilled, and the time of that count."""

    def take(self, caller: str, count: int, unit: str = "programs") -> None:
        """Takes so many from the caller's bucket.

        Raises Overloaded, with the time to wait, when the bucket holds fewer, and Reject when no bucket ever holds so
        many.
        """
        most = self._per_minute
        if not most:
            return
        if count > most:
            raise Reject(f"{unit}: {count} at once, and the quota is {most} a minute: send fewer at a time.")
        now = self._clock()
        self._used = {name: used for name, used in self._used.items() if self._still_used(used, now) > 0}
        used = self._still_used(self._used.get(caller, (0.0, now)), now)
        if used + count > most:
            wait = (used + count - most) * 60 / most
            raise Overloaded(f"the quota is {most} {unit} a minute; retry in {wait:.0f} s.")
        self._used[caller] = (used + count, now)

    def _still_used(self, used: tuple[float, float], now: float) -> float:
        taken, since = used
        return max(0.0, taken - (now - since) * self._per_minute / 60)
