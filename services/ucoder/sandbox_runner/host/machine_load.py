"""The load of the machine as a cell feels it, and what processes take, both read from /proc.

gVisor counts a program's processor time by its own clock, which runs on while the host lets the program wait. On a
loaded machine that clock is too fast. Time limits are multiplied by the measured factor, so that verdicts stay the
same.
"""

import contextlib
import glob
import math
import os
from collections.abc import Iterator
from pathlib import Path

LARGEST_FACTOR = 20.0
_TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")


def processor_seconds(pid: int) -> float:
    """Returns the processor time of a process and its descendants, including those that ended and were waited for."""
    try:
        status = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return 0.0
    own = sum(map(int, status[status.rindex(")") + 2 :].split()[11:15])) / _TICKS_PER_SECOND
    return own + sum(map(processor_seconds, _children(pid)))


def _children(pid: int) -> Iterator[int]:
    """Yields the children of all threads of a process. Threads that end during the scan are skipped."""
    for children in glob.iglob(f"/proc/{pid}/task/*/children"):
        with contextlib.suppress(OSError):
            yield from map(int, Path(children).read_text().split())


def process_tree(pid: int) -> list[int]:
    """Returns a process and all its descendants that exist now."""
    if not Path(f"/proc/{pid}").exists():
        return []
    return [pid, *(member for child in _children(pid) for member in process_tree(child))]


def clock_factor(claimed: float, processor: float) -> float:
    """Returns by what factor the time that a cell claims exceeds what it got: 1 on an idle machine."""
    return min(LARGEST_FACTOR, max(1.0, claimed / processor)) if claimed > 0.03 and processor > 0 else 1.0


def resident_mb(pid: int, kinds: tuple[str, ...] = ("Pss:",)) -> float:
    """Returns the memory of a process and its descendants in MB; a page that several share counts once.

    kinds: the lines of smaps_rollup to sum.
    """
    try:
        rollup = Path(f"/proc/{pid}/smaps_rollup").read_text()
    except OSError:
        return 0.0
    own = sum(int(line.split()[1]) for line in rollup.splitlines() if line.startswith(kinds)) / 1024
    return own + sum(resident_mb(child, kinds) for child in _children(pid))


class ProcessorWait:
    """Measures how long the host lets a process and its descendants wait for a processor."""

    def __init__(self, pid: int) -> None:
        self._pid, self._before = pid, _wait_by_thread(pid)

    def read(self) -> float:
        """Returns the seconds since the last reading that the two threads which waited longest have waited; infinite
        where the kernel does not tell.

        gVisor runs a program by turns in a thread of its own and in one of the kernel that answers it.
        """
        before, self._before = self._before, _wait_by_thread(self._pid)
        waited = sorted(now - before.get(thread, 0.0) for thread, now in self._before.items())
        return sum(waited[-2:]) if waited else math.inf


def _wait_by_thread(pid: int) -> dict[int, float]:
    """Returns, by thread, the seconds that it could have run and did not (the kernel's schedstats)."""
    waits = {}
    for thread in (path for member in process_tree(pid) for path in glob.iglob(f"/proc/{member}/task/*")):
        with contextlib.suppress(OSError):
            nanoseconds = int(Path(thread, "schedstat").read_text().split()[1])
            waits[int(Path(thread).name)] = nanoseconds / 1e9
    return waits
