"""The first process of a cell: a warm interpreter that forks, watches, kills and reports. It never runs a program
itself.

Speaks frames (four bytes of length, then a tag and JSON) with the host over its standard input and output. One job at
a time, in a fork that waits for it (`fork.py`): relay what it reports; kill whatever is left; say how it ended; make
the next fork. Here only the head of a job is read, its limits. The end of standard input means that the host is gone:
this process ends, and with it the cell.
"""

import contextlib
import ctypes
import gc
import importlib
import importlib.util
import json
import os
import resource
import signal
import site
import sys
from typing import Any

from ucoder.sandbox_runner.guest import fixed_time, interpreter_state, seccomp
from ucoder.sandbox_runner.guest.fork import Fork, Place
from ucoder.sandbox_runner.guest.fork_watch import has_ended, watch
from ucoder.sandbox_runner.guest.frames import read_exactly, send

HEAVY_PACKAGES = ("numpy", "pandas", "scipy", "matplotlib.pyplot")
SCRATCH = os.environ.get("SCRATCH", "/tmp")
FIRST_UID = 20_000


class CellProcess:
    """What lasts from job to job: the baseline of memory, the users taken so far, and the fork that waits
    for its job."""

    def __init__(self) -> None:
        for name in interpreter_state.PREPARED:
            importlib.import_module(name)
        prepare_packages(os.environ.get("PACKAGES", ""))
        importlib.util.find_spec("a_module_that_nobody_has")  # so that every folder has been looked through
        site.setquit()
        self.time = fixed_time.FixedTime(int(os.environ.get("PYTHONHASHSEED", "0")))
        self.uid = FIRST_UID
        self.baseline = virtual_memory()
        self.drops = os.getuid() == 0
        self.company = int(os.environ.get("COMPANY", "0"))
        self.libraries = interpreter_state.libraries()
        gc.collect()
        gc.freeze()
        self.fenced = seccomp.install()
        self.spare = self.prepare()

    def prepare(self) -> Fork:
        """A fork with a user and a folder of its own, for a job to come."""
        self.uid = FIRST_UID + (self.uid + 1 - FIRST_UID) % 40_000
        folder = f"{SCRATCH}/{self.uid}"
        os.mkdir(folder, 0o700)
        if self.drops:
            os.chown(folder, self.uid, self.uid)
        place = Place(folder, self.uid if self.drops else None, self.company, self.baseline)
        return Fork.begin(place, self.libraries, self.time)

    def run(self, head: dict[str, Any]) -> None:
        """One job, from its orders to the last process gone; then the next fork is made, while nobody waits for it."""
        if has_ended(self.spare.child):  # while it waited, as when memory ran out
            self.finish()
            self.spare = self.prepare()
        fork = self.spare
        fork.order(head)
        why = watch(fork, head)
        status, peak, processor = self.finish()
        said = {"id": head["id"], "why": why, "status": status, "peak_kb": peak, "processor": processor - fork.used}
        send((b"E", json.dumps(said).encode()))
        self.spare = self.prepare()

    def finish(self) -> tuple[int, int, float]:
        """Ends the fork and everything it left: its wait status, peak memory in KB, processor seconds."""
        self.spare.close()
        found = reap(self.spare.child)
        if self.company:  # programs are the scratch folder's owner too
            clear(SCRATCH)
        else:
            clear(self.spare.place.folder)
            os.rmdir(self.spare.place.folder)
        return found


def prepare_packages(folder: str) -> None:
    """Makes third-party packages importable, if this cell has any, and imports what would cost every program too much
    time."""
    if not os.path.isdir(folder):
        return
    sys.path.append(folder)
    for name in HEAVY_PACKAGES:
        with contextlib.suppress(ImportError):
            importlib.import_module(name)


def virtual_memory() -> int:
    """Address space of this interpreter in bytes; without /proc, a fair guess."""
    try:
        with open("/proc/self/statm") as file:
            return int(file.read().split()[0]) * resource.getpagesize()
    except OSError:
        return 96 << 20


def reap(child: int) -> tuple[int, int, float]:
    """Kills everything in the cell but this process, and waits for all of it: the fork's (wait status, peak memory in
    KB, processor seconds)."""
    status, peak, processor = 0, 0, 0.0
    while True:
        with contextlib.suppress(ProcessLookupError):
            os.kill(child, signal.SIGKILL)
        if os.getpid() == 1:
            with contextlib.suppress(ProcessLookupError):
                os.kill(-1, signal.SIGKILL)
        else:
            sweep(child)
        try:
            pid, ended, usage = os.wait4(-1, 0)
        except ChildProcessError:
            return status, peak, processor
        if pid == child:
            status, peak, processor = ended, usage.ru_maxrss, usage.ru_utime + usage.ru_stime


def clear(folder: str) -> None:
    """Empties a folder, however deep a program nested: what lies in a subfolder is moved up, then that is deleted."""
    number = 0
    unlock(folder)
    while True:
        with os.scandir(folder) as entries:
            found = list(entries)
        if not found:
            return
        for entry in found:
            if not entry.is_dir(follow_symlinks=False):
                os.unlink(entry.path)
                continue
            unlock(entry.path)
            for name in os.listdir(entry.path):
                number += 1
                moved = f"{folder}/.moved-{number}"
                try:
                    os.rename(f"{entry.path}/{name}", moved)
                except PermissionError:  # a locked folder, whose way up is written in itself
                    unlock(f"{entry.path}/{name}")
                    os.rename(f"{entry.path}/{name}", moved)
            os.rmdir(entry.path)


def unlock(folder: str) -> None:
    """Where programs share our user their folders may be locked against us; where they do not, we need no key."""
    with contextlib.suppress(PermissionError):
        os.chmod(folder, 0o700)


def sweep(child: int) -> None:
    """Where this process is not the first of its own namespace: kills the fork's group and the orphans it left to
    us."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(child, signal.SIGKILL)
    me = str(os.getpid())
    with contextlib.suppress(OSError), open(f"/proc/{me}/task/{me}/children") as orphans:
        for pid in map(int, orphans.read().split()):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


def main() -> None:
    if os.getpid() != 1:
        ctypes.CDLL(None).prctl(36, 1, 0, 0, 0)  # PR_SET_CHILD_SUBREAPER: orphans of programs come to us
        ctypes.CDLL(None).prctl(1, signal.SIGKILL, 0, 0, 0)  # PR_SET_PDEATHSIG: we end with the host
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGCHLD])
    cell = CellProcess()
    greeting = {"python": sys.version.split()[0], "pid": os.getpid(), "fenced": cell.fenced}
    send((b"H", json.dumps(greeting).encode()))
    while True:
        size = int.from_bytes(read_exactly(0, 4), "big")
        cell.run(json.loads(read_exactly(0, size)))


if __name__ == "__main__":
    main()
