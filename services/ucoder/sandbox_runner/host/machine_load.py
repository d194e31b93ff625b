"""How loaded the machine is, as a cell feels it: seconds on the cell's clock per second of processor it really got.

gVisor counts a program's processor time by its own clock, which runs on while the host lets the program wait. On a
loaded machine that clock is too fast; limits are stretched by this measure, so that verdicts stay the same.
"""

import contextlib
import math
import os
from collections.abc import Iterator
from pathlib import Path

MOST = 20.0
_TICKS = os.sysconf("SC_CLK_TCK")


def processor_seconds(pid: int) -> float:
    """Processor time of a process and all its descendants, those gone and waited for among them."""
    try:
        status = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return 0.0
    own = sum(map(int, status[status.rindex(")") + 2 :].split()[11:15])) / _TICKS
    return own + sum(map(processor_seconds, _children(pid)))


def _children(pid: int) -> Iterator[int]:
    """Of all threads of a process; a thread may end while we look."""
    with contextlib.suppress(OSError):
        for thread in os.listdir(f"/proc/{pid}/task"):
            with contextlib.suppress(OSError):
                yield from map(int, Path(f"/proc/{pid}/task/{thread}/children").read_text().split())


def family(pid: int) -> list[int]:
    """A process and all its descendants that are there now."""
    try:
        threads = os.listdir(f"/proc/{pid}/task")
        children = [Path(f"/proc/{pid}/task/{thread}/children").read_text().split() for thread in threads]
    except OSError:
        return []
    return [pid, *(one for some in children for child in some for one in family(int(child)))]


def stretch(claimed: float, processor: float) -> float:
    """The factor by which the time that a cell claims exceeds what it got: 1 on an idle machine."""
    return min(MOST, max(1.0, claimed / processor)) if claimed > 0.03 and processor > 0 else 1.0


def resident_mb(pid: int) -> float:
    """Memory of a process and its descendants in MB; what several share counts once."""
    return _proportional(pid, ("Pss:",)) / 1024


def written_mb(pid: int) -> float:
    """Of that, what they wrote themselves. It does not change when another process that runs the same code comes or
    goes."""
    return _proportional(pid, ("Pss_Anon:", "Pss_Shmem:")) / 1024


def _proportional(pid: int, kinds: tuple[str, ...]) -> int:
    """Of a process and its descendants, in kB."""
    try:
        rollup = Path(f"/proc/{pid}/smaps_rollup").read_text()
    except OSError:
        return 0
    own = sum(int(line.split()[1]) for line in rollup.splitlines() if line.startswith(kinds))
    return own + sum(_proportional(child, kinds) for child in _children(pid))


class Waiting:
    """How long the host lets a process and its descendants wait for a processor, from look to look."""

    def __init__(self, pid: int) -> None:
        self._pid, self._seen = pid, _delays(pid)

    def look(self) -> float:
        """Seconds, since the last look, of the two threads that waited longest; infinite where the kernel does not say.

        gVisor runs a program by turns in a thread of its own and in one of the kernel that answers it.
        """
        before, self._seen = self._seen, _delays(self._pid)
        waited = sorted(now - before.get(thread, 0.0) for thread, now in self._seen.items())
        return sum(waited[-2:]) if waited else math.inf


def _delays(pid: int) -> dict[int, float]:
    """By thread: seconds that it could have run and did not (the kernel's schedstats)."""
    found = {}
    for member in family(pid):
        with contextlib.suppress(OSError):
            for thread in os.listdir(f"/proc/{member}/task"):
                with contextlib.suppress(OSError):
                    found[int(thread)] = (
                        int(Path(f"/proc/{member}/task/{thread}/schedstat").read_text().split()[1]) / 1e9
                    )
    return found
