"""How many programs a caller may have executed: a bucket per caller that fills by the minute."""

import time
from collections.abc import Callable
from dataclasses import dataclass

from ucoder.errors import Overloaded, Reject


@dataclass(frozen=True, slots=True)
class Quota:
    """What one caller may ask of one process. Callers are told apart by their tokens; those without share a bucket."""

    programs_per_minute: int = 0
    """0 is no limit. A caller who was quiet may ask for a minute's worth at once."""


class Quotas:
    """The buckets of all callers. One that is full again is forgotten, so they never pile up."""

    def __init__(self, quota: Quota, clock: Callable[[], float] = time.monotonic) -> None:
        self._quota, self._clock = quota, clock
        self._spent: dict[str, tuple[float, float]] = {}

    def take(self, caller: str, programs: int) -> None:
        """Books so many programs.

        Raises Overloaded saying when to come back; Reject when no amount of waiting would make room.
        """
        most = self._quota.programs_per_minute
        if not most:
            return
        if programs > most:
            raise Reject(f"programs: {programs} at once, and the quota is {most} a minute: send fewer at a time.")
        now = self._clock()
        self._spent = {name: spent for name, spent in self._spent.items() if self._left_over(spent, now) > 0}
        used = self._left_over(self._spent.get(caller, (0.0, now)), now)
        if used + programs > most:
            wait = (used + programs - most) * 60 / most
            raise Overloaded(f"the quota is {most} programs a minute; retry in {wait:.0f} s.")
        self._spent[caller] = (used + programs, now)

    def _left_over(self, spent: tuple[float, float], now: float) -> float:
        used, since = spent
        return max(0.0, used - (now - since) * self._quota.programs_per_minute / 60)
