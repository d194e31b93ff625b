"""The processor time of one test, counted by the ticks of a timer that never stops: no system call for each test."""

import contextlib
import signal
from types import FrameType

from ucoder.sandbox_runner.guest import infinite_loops
from ucoder.sandbox_runner.guest.cell_protocol import send_heartbeat

TICK_SECONDS = 0.01
LATE_TICKS = 5
"""For so many ticks beyond the limit of a test, or since the end of one, a fork still sends heartbeats."""
LOOP_CHECK_TICKS = (1, 8, 64)
"""Ticks at which a program is checked for an infinite loop."""


class TimeLimit(BaseException):
    """The test has used its processor time. Not an Exception, so that a program's `except Exception` does not catch
    it.
    """


class CpuTimer:
    """Counts the ticks of processor time spent in one test."""

    def __init__(self, seconds: float, heartbeat: bool) -> None:
        self.allowed, self.heartbeat = max(1, round(seconds / TICK_SECONDS)), heartbeat
        self.armed, self.ticks, self.extra_ticks = False, 0, 0
        self.source = ""
        """The program's text, if `infinite_loops` can check it; otherwise empty."""
        self.loop_watch: infinite_loops.LoopWatch | None = None
        signal.signal(signal.SIGPROF, self.tick)
        signal.setitimer(signal.ITIMER_PROF, TICK_SECONDS, TICK_SECONDS)

    def start(self) -> None:
        """Begins a test."""
        self.ticks, self.extra_ticks, self.armed = 0, 0, True

    def stop(self) -> None:
        """Ends a test."""
        self.armed = False
        if self.loop_watch:
            self.loop_watch.end()
            self.loop_watch = None

    def end(self) -> None:
        """Switches the timer off."""
        signal.setitimer(signal.ITIMER_PROF, 0)

    @property
    def late(self) -> bool:
        """True when the test has used its time."""
        return self.ticks > self.allowed + self.extra_ticks

    def tick(self, _: int, frame: FrameType | None) -> None:
        """Adds one tick; raises TimeLimit when the test has used its time."""
        self.ticks += 1
        if self.heartbeat and self.ticks <= self.allowed + self.extra_ticks + LATE_TICKS:
            send_heartbeat()  # without heartbeats this fork is ended from outside
        if not self.armed:
            return
        if self.late:
            raise TimeLimit
        if self.source and self.ticks in LOOP_CHECK_TICKS:
            with contextlib.suppress(MemoryError):
                self.loop_watch = infinite_loops.LoopWatch(frame, self.source, self.time_is_up)
                self.extra_ticks += bool(self.loop_watch.lines)  # the program is not charged for the check

    def time_is_up(self) -> TimeLimit:
        """Makes a test late that was proved to be endless; returns the exception to raise."""
        self.ticks = self.allowed + self.extra_ticks + 1
        return TimeLimit()
