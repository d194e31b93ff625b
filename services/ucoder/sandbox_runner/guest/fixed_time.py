"""Time that is the same in every run: programs start at a fixed instant, from where the clock goes on as it should.

Another seed starts at another instant, so that running twice shows whether a result depends on the time.
"""

import datetime
import time
from collections.abc import Callable
from typing import Any

_EPOCH, _STEP = 1_704_103_445.5, 37 * 86_400 + 11_111
"""The first of January 2024, 10:04:05 UTC; and how much later each further seed starts."""


class FixedTime:
    """Replaces what tells the time in `time` and `datetime`; `restart` sets it back to the fixed instant."""

    def __init__(self, seed: int) -> None:
        self.start = _EPOCH + seed * _STEP
        self.origin = time.monotonic()
        for name in ("localtime", "gmtime", "ctime"):
            setattr(time, name, self._defaulting(getattr(time, name)))
        written = time.strftime
        time.strftime = lambda form, when=None: written(form, when or time.localtime())
        time.time, time.time_ns = self.now, lambda: int(self.now() * 1e9)
        _replace_datetime(self.now)

    def restart(self) -> None:
        """The next program starts where all start."""
        self.origin = time.monotonic()

    def now(self) -> float:
        """Seconds since 1970, as far as programs know."""
        return self.start + time.monotonic() - self.origin

    def _defaulting(self, real: Callable[[float], Any]) -> Callable[..., Any]:
        return lambda seconds=None: real(self.now() if seconds is None else seconds)


def _replace_datetime(now: Callable[[], float]) -> None:
    real_date, real_datetime = datetime.date, datetime.datetime

    class _Kind(type):
        """Instances of the real classes count as instances of ours."""

        def __instancecheck__(cls, value: object) -> bool:
            return isinstance(value, real_datetime if cls.__name__ == "datetime" else real_date)

        def __subclasscheck__(cls, kind: type) -> bool:
            return issubclass(kind, real_datetime if cls.__name__ == "datetime" else real_date)

    class Date(datetime.date, metaclass=_Kind):
        @classmethod
        def today(cls) -> Any:
            return cls.fromtimestamp(now())

    class DateTime(datetime.datetime, metaclass=_Kind):
        @classmethod
        def now(cls, tz: datetime.tzinfo | None = None) -> Any:
            return cls.fromtimestamp(now(), tz)

        @classmethod
        def utcnow(cls) -> Any:
            return cls.utcfromtimestamp(now())

        @classmethod
        def today(cls) -> Any:
            return cls.fromtimestamp(now())

    for name, kind in (("date", Date), ("datetime", DateTime)):
        kind.__name__ = kind.__qualname__ = name
        kind.__module__ = "datetime"
        setattr(datetime, name, kind)
