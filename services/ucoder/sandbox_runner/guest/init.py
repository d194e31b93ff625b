"""The first process of a cell: a warm interpreter that forks, watches, kills and reports. It never runs a program
itself.

Speaks frames (four bytes of length, then a tag and JSON) with the host over its standard input and output. One job at
a time: fork, drop to a user of its own, limit, run; relay what the fork reports; kill whatever is left; say how it
ended. Here only the head of a job is read, its limits. The fork reads the programs and tests itself, so that nothing
of one job lies in the memory that the next one inherits. The end of standard input means that the host is gone: this
process ends, and with it the cell.
"""

import contextlib
import ctypes
import fcntl
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

from ucoder.sandbox_runner.guest import clock, seccomp, state, worker
from ucoder.sandbox_runner.guest.frames import PIPE, read_exactly, send
from ucoder.sandbox_runner.guest.ticks import REPORT
from ucoder.sandbox_runner.guest.watch import watch

HEAVY_PACKAGES = ("numpy", "pandas", "scipy", "matplotlib.pyplot")
SCRATCH = os.environ.get("SCRATCH", "/tmp")
FIRST_UID = 20_000


class Cell:
    """What lasts from job to job: the baseline of memory, and the users taken so far."""

    def __init__(self) -> None:
        for name in state.PREPARED:
            importlib.import_module(name)
        prepare_packages(os.environ.get("PACKAGES", ""))
        importlib.util.find_spec("a_module_that_nobody_has")  # so that every folder has been looked through
        site.setquit()
        self.time = clock.FixedTime(int(os.environ.get("PYTHONHASHSEED", "0")))
        self.uid = FIRST_UID
        self.baseline = virtual_memory()
        self.drops = os.getuid() == 0
        self.company = int(os.environ.get("COMPANY", "0"))
        self.libraries = state.libraries()
        gc.collect()
        gc.freeze()

    def run(self, head: dict[str, Any]) -> None:
        """One job, from fork to the last process gone."""
        self.uid = FIRST_UID + (self.uid + 1 - FIRST_UID) % 40_000
        folder = f"{SCRATCH}/{self.uid}"
        os.mkdir(folder, 0o700)
        if self.drops:
            os.chown(folder, self.uid, self.uid)
        reports, reporting = os.pipe()
        os.set_blocking(reports, False)
        with contextlib.suppress(PermissionError):  # where a user has too many; a small one is read more often
            fcntl.fcntl(reports, fcntl.F_SETPIPE_SZ, PIPE)
        child = os.fork()
        if child == 0:
            try:
                job = json.loads(read_exactly(0, head["size"]))
                self.become(head, folder, reports, reporting)
                if head["interpreter"]:
                    become_interpreter(head, job)
                worker.main({**head, **job}, self.libraries, self.time)
            finally:
                os._exit(70)
        os.close(reporting)
        why = watch(child, reports, head)
        os.close(reports)
        status, peak, processor = reap(child)
        if self.company:  # programs are the scratch folder's owner too
            clear(SCRATCH)
        else:
            clear(folder)
            os.rmdir(folder)
        said = {"id": head["id"], "why": why, "status": status, "peak_kb": peak, "processor": processor}
        send((b"E", json.dumps(said).encode()))

    def become(self, head: dict[str, Any], folder: str, reports: int, reporting: int) -> None:
        """In the fork: no descriptor but the report, a group and a user of its own, limits that hold for all it
        starts.
        """
        os.close(reports)
        null = os.open("/dev/null", os.O_RDWR)
        for descriptor in (0, 1, 2):
            os.dup2(null, descriptor)
        if reporting != REPORT:
            os.dup2(reporting, REPORT)
            os.close(reporting)
        if null != REPORT:
            os.close(null)
        os.set_inheritable(REPORT, False)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGCHLD])
        os.setsid()
        os.chdir(folder)
        limits = head["limits"]
        if not head["interpreter"]:
            bound(resource.RLIMIT_AS, self.baseline + limits["memory_mb"] * (1 << 20))
        bound(resource.RLIMIT_FSIZE, limits["file_size_mb"] * (1 << 20))
        bound(resource.RLIMIT_NOFILE, limits["open_files"])
        bound(resource.RLIMIT_CORE, 0)
        if self.drops:
            os.setgroups([])
            os.setresgid(self.uid, self.uid, self.uid)
            bound(resource.RLIMIT_NPROC, limits["processes"])
            os.setresuid(self.uid, self.uid, self.uid)
        elif self.company:
            bound(resource.RLIMIT_NPROC, limits["processes"] + self.company)


def prepare_packages(folder: str) -> None:
    """Makes third-party packages importable, if this cell has any, and imports what would cost every program too much
    time."""
    if not os.path.isdir(folder):
        return
    sys.path.append(folder)
    for name in HEAVY_PACKAGES:
        with contextlib.suppress(ImportError):
            importlib.import_module(name)


def become_interpreter(head: dict[str, Any], job: dict[str, Any]) -> None:
    """Another language's interpreter takes this fork over; the job waits on its standard input.

    Its engine reserves far more address space than it uses, so memory is limited by the engine itself.
    """
    with open("job", "w+") as file:
        json.dump({**head, **job}, file)
        file.seek(0)
        os.dup2(file.fileno(), 0)
    os.unlink("job")
    os.set_inheritable(REPORT, True)
    guest = __file__.rsplit("/", 1)[0]
    command = [part.format(guest=guest) for part in head["interpreter"]]
    command[0] = os.environ.get("NODE") or command[0]
    command[1:1] = [f"--max-old-space-size={head['limits']['memory_mb']}", f"--random-seed={head['seed'] + 1}"]
    os.execv(command[0], command)


def bound(which: int, value: int) -> None:
    resource.setrlimit(which, (value, value))


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
    cell = Cell()
    fenced = seccomp.install()
    greeting = {"python": sys.version.split()[0], "pid": os.getpid(), "fenced": fenced}
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGCHLD])
    send((b"H", json.dumps(greeting).encode()))
    while True:
        size = int.from_bytes(read_exactly(0, 4), "big")
        cell.run(json.loads(read_exactly(0, size)))


if __name__ == "__main__":
    main()
