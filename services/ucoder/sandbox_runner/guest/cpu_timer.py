"""The processor time of one test, counted in ticks of a timer that never stops: no system call per test."""

import contextlib
import os
import signal
from types import FrameType

from ucoder.sandbox_runner.guest import infinite_loops

REPORT = 3
"""The descriptor on which a fork reports."""
TICK = 0.01
LATE = 5
"""Ticks beyond the limit of a test, or since the end of one, for which a fork still says that it lives."""
LOOKS = (1, 8, 64)
"""Ticks at which a program is looked at, whether it goes in circles."""


class TimeLimit(BaseException):
    """The test has used its processor time. Not an Exception, so an honest `except Exception` lets it through."""


class CpuTimer:
    """Counts ticks of processor time spent in one test."""

    def __init__(self, seconds: float, beat: bool) -> None:
        self.allowed, self.beat = max(1, round(seconds / TICK)), beat
        self.armed, self.ticks, self.looks = False, 0, 0
        self.source = ""
        """The program, if it is one that `endless` can look at."""
        self.look: infinite_loops.LoopWatch | None = None
        signal.signal(signal.SIGPROF, self.tick)
        signal.setitimer(signal.ITIMER_PROF, TICK, TICK)

    def start(self) -> None:
        """A test begins."""
        self.ticks, self.looks, self.armed = 0, 0, True

    def stop(self) -> None:
        """It has ended."""
        self.armed = False
        if self.look:
            self.look.end()
            self.look = None

    def end(self) -> None:
        """No further tick comes."""
        signal.setitimer(signal.ITIMER_PROF, 0)

    @property
    def late(self) -> bool:
        """The test has had its time."""
        return self.ticks > self.allowed + self.looks

    def tick(self, _: int, frame: FrameType | None) -> None:
        self.ticks += 1
        if self.beat and self.ticks <= self.allowed + self.looks + LATE:
            os.write(REPORT, b"\0\0\0\0")  # else this fork is ended, whatever keeps it from going on
        if not self.armed:
            return
        if self.late:
            raise TimeLimit
        if self.source and self.ticks in LOOKS:
            with contextlib.suppress(MemoryError):
                self.look = infinite_loops.LoopWatch(frame, self.source, self.proved)
                self.looks += bool(self.look.lines)  # the program is not charged for being looked at

    def proved(self) -> TimeLimit:
        """There is no end to the test: its time is up."""
        self.ticks = self.allowed + self.looks + 1
        return TimeLimit()
