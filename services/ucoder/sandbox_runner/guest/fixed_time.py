"""A clock that is the same in every run: each program starts at a fixed instant, and from there time passes as usual.

Another seed starts at another instant, so that a second run shows whether a result depends on the time.
"""

import ctypes
import datetime
import gc
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
    """Replaces the class methods that read the clock within the types themselves, so that no value is of another type.

    The dictionaries of built-in types are read-only for Python code, so this goes through the garbage collector.
    """
    methods: dict[type, dict[str, Callable[..., Any]]] = {
        datetime.date: {"today": lambda cls: cls.fromtimestamp(now())},
        datetime.datetime: {
            "today": lambda cls: cls.fromtimestamp(now()),
            "now": lambda cls, tz=None: cls.fromtimestamp(now(), tz),
            "utcnow": lambda cls: cls.utcfromtimestamp(now()),
        },
    }
    for kind, named in methods.items():
        members = gc.get_referents(kind.__dict__)[0]
        members |= {name: classmethod(method) for name, method in named.items()}
        ctypes.pythonapi.PyType_Modified(ctypes.py_object(kind))
