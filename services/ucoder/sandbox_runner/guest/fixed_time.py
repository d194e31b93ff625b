"""A clock that is the same in every run: each program starts at a fixed instant, and from there time passes as usual.

Another seed starts at another instant, so that a second run shows whether a result depends on the time.
"""

import datetime
import time
from collections.abc import Callable
from typing import Any

_START, _SEED_STEP = 1_704_103_445.5, 37 * 86_400 + 11_111
"""1 January 2024, 10:04:05 UTC, and by how many seconds each further seed starts later."""


class FixedTime:
    """The clock behind `time` and `datetime`, whose functions it replaces."""

    def __init__(self, seed: int) -> None:
        self.start = _START + seed * _SEED_STEP
        self.origin = time.monotonic()
        for name in ("localtime", "gmtime", "ctime"):
            setattr(time, name, self._defaulting(getattr(time, name)))
        strftime = time.strftime
        time.strftime = lambda form, when=None: strftime(form, when or time.localtime())
        time.time, time.time_ns = self.now, lambda: int(self.now() * 1e9)
        _replace_datetime(self.now)

    def restart(self) -> None:
        """Puts the clock back to the fixed instant, for the next program."""
        self.origin = time.monotonic()

    def now(self) -> float:
        """Returns the seconds since 1970 that programs are shown."""
        return self.start + time.monotonic() - self.origin

    def _defaulting(self, real: Callable[[float], Any]) -> Callable[..., Any]:
        return lambda seconds=None: real(self.now() if seconds is None else seconds)


def _replace_datetime(now: Callable[[], float]) -> None:
    real_date, real_datetime = datetime.date, datetime.datetime

    class _Replacement(type):
        """A metaclass by which instances of the real classes count as instances of the replacements."""

        def __instancecheck__(cls, value: object) -> bool:
            return isinstance(value, real_datetime if cls.__name__ == "datetime" else real_date)

        def __subclasscheck__(cls, kind: type) -> bool:
            return issubclass(kind, real_datetime if cls.__name__ == "datetime" else real_date)

    class Date(datetime.date, metaclass=_Replacement):
        @classmethod
        def today(cls) -> Any:
            return cls.fromtimestamp(now())

    class DateTime(datetime.datetime, metaclass=_Replacement):
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
