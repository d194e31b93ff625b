"""The first process of a cell: a warm interpreter that makes forks, watches them, kills them and reports. It never runs
a program itself.

It speaks frames (`cell_protocol`) with the host over its standard input and output. Jobs come one at a time, and each
runs in a fork that waits for it (`fork`). This process passes on what the fork reports, kills every process that it
left, tells the host how it ended, and makes the next fork. Of a job it reads only the head. The end of standard input
means that the host is gone: this process ends, and the cell with it.
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

from ucoder.sandbox_runner.guest import fixed_time, interpreter_state, seccomp
from ucoder.sandbox_runner.guest.cell_protocol import ENDING, GREETING, OUTPUT, JobHead, read_exactly, send
from ucoder.sandbox_runner.guest.fork import Fork, ForkPlace, has_ended, watch
from ucoder.sandbox_runner.guest.run_watch import send_rest, watch_run

HEAVY_PACKAGES = ("numpy", "pandas", "scipy", "matplotlib.pyplot")
SCRATCH = os.environ.get("SCRATCH", "/tmp")
SHARED_MEMORY = "/dev/shm"
FIRST_USER, USERS = 20_000, 40_000
LARGEST_PART = 4 << 20
"""Bytes of a script's output that are sent in one frame."""


class CellProcess:
    """The state that lasts from job to job: the memory baseline, the users given out so far, and the fork that waits
    for its job.
    """

    def __init__(self) -> None:
        for name in interpreter_state.PREPARED:
            importlib.import_module(name)
        prepare_packages(os.environ.get("PACKAGES", ""))
        importlib.util.find_spec("a_module_that_nobody_has")  # so that the import system has listed every folder
        site.setquit()
        self.time = fixed_time.FixedTime(int(os.environ.get("PYTHONHASHSEED", "0")))
        self.user = FIRST_USER
        self.baseline = virtual_memory()
        self.has_users = os.getuid() == 0
        self.other_processes = int(os.environ.get("OTHER_PROCESSES", "0"))
        self.libraries = interpreter_state.libraries()
        gc.collect()
        gc.freeze()
        self.filtered = seccomp.install()
        self.spare = self.start_fork()

    def start_fork(self) -> Fork:
        """Starts a fork with a user and a folder of its own, for a job to come."""
        self.user = FIRST_USER + (self.user + 1 - FIRST_USER) % USERS
        folder = f"{SCRATCH}/{self.user}"
        os.mkdir(folder, 0o700)
        if self.has_users:
            os.chown(folder, self.user, self.user)
        place = ForkPlace(folder, self.user if self.has_users else None, self.other_processes, self.baseline)
        return Fork.start(place, self.libraries, self.time)

    def run(self, head: JobHead) -> None:
        """Runs one job until its last process is gone; then makes the next fork, while nobody waits for it."""
        if has_ended(self.spare.child):  # while it waited, for example because memory ran out
            kill_all(self.spare.child)
            self.clean_up()
            self.spare = self.start_fork()
        fork = self.spare
        if wish := head.get("wish"):
            os.chmod(SCRATCH, 0o1777)  # the program may write anywhere below it; all of it is removed at the end
            os.mkdir(f"{SCRATCH}/mnt", 0o777)
            os.chmod(f"{SCRATCH}/mnt", 0o777)
        fork.send_head(head)
        why = watch_run(fork, head["limits"], wish) if wish else watch(fork, head)
        status, peak, processor = kill_all(fork.child)
        if wish:
            send_rest(fork, wish)
        elif head["script"]:
            send_output(fork.script_output)
        self.clean_up(everything=bool(wish))
        ending = {"id": head["id"], "why": why, "status": status, "peak_kb": peak, "processor": processor - fork.used}
        send((ENDING, json.dumps(ending).encode()))
        self.spare = self.start_fork()

    def clean_up(self, everything: bool = False) -> None:
        """Removes all that the fork left, after its last process has ended.

        `everything`: it may have written anywhere in the scratch folder, as programs that have our user may.
        """
        self.spare.close()
        if os.getpid() == 1:  # the shared memory is the cell's own
            empty_folder(SHARED_MEMORY)
            os.chmod(SHARED_MEMORY, 0o1777)
        if self.other_processes or everything:
            empty_folder(SCRATCH)
            os.chmod(SCRATCH, 0o755)
        else:
            empty_folder(self.spare.place.folder)
            os.rmdir(self.spare.place.folder)


def send_output(descriptor: int) -> None:
    """Sends what a script printed, in parts."""
    at = 0
    while part := os.pread(descriptor, LARGEST_PART, at):
        send((OUTPUT, b"\0" + part))
        at += len(part)


def prepare_packages(folder: str) -> None:
    """Makes third-party packages importable, if the cell has any, and imports those that are slow to import."""
    if not os.path.isdir(folder):
        return
    sys.path.append(folder)
    for name in HEAVY_PACKAGES:
        with contextlib.suppress(ImportError):
            importlib.import_module(name)


def virtual_memory() -> int:
    """Returns the address space of this interpreter in bytes, or an estimate where there is no /proc."""
    try:
        with open("/proc/self/statm") as file:
            return int(file.read().split()[0]) * resource.getpagesize()
    except OSError:
        return 96 << 20


def kill_all(child: int) -> tuple[int, int, float]:
    """Kills every process of the cell but this one and waits for all of them; returns the fork's wait status, peak
    memory in KB and processor seconds.
    """
    status, peak, processor = 0, 0, 0.0
    while True:
        with contextlib.suppress(ProcessLookupError):
            os.kill(child, signal.SIGKILL)
        if os.getpid() == 1:
            with contextlib.suppress(ProcessLookupError):
                os.kill(-1, signal.SIGKILL)
        else:
            kill_orphans(child)
        try:
            pid, ended, usage = os.wait4(-1, 0)
        except ChildProcessError:
            return status, peak, processor
        if pid == child:
            status, peak, processor = ended, usage.ru_maxrss, usage.ru_utime + usage.ru_stime


def kill_orphans(child: int) -> None:
    """Kills the fork's process group and its orphans, where this process is not the first of its own namespace.

    The orphans are children of this process, because it is a child subreaper.
    """
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(child, signal.SIGKILL)
    me = str(os.getpid())
    with contextlib.suppress(OSError), open(f"/proc/{me}/task/{me}/children") as orphans:
        for pid in map(int, orphans.read().split()):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


def empty_folder(folder: str) -> None:
    """Empties a folder, however deep a program nested it: moves the contents of each subfolder up, then deletes it."""
    number = 0
    make_accessible(folder)
    while True:
        with os.scandir(folder) as scan:
            entries = list(scan)
        if not entries:
            return
        for entry in entries:
            if not entry.is_dir(follow_symlinks=False):
                os.unlink(entry.path)
                continue
            make_accessible(entry.path)
            for name in os.listdir(entry.path):
                number += 1
                moved = f"{folder}/.moved-{number}"
                try:
                    os.rename(f"{entry.path}/{name}", moved)
                except PermissionError:  # to move a folder changes its `..`, which a locked folder does not allow
                    make_accessible(f"{entry.path}/{name}")
                    os.rename(f"{entry.path}/{name}", moved)
            os.rmdir(entry.path)


def make_accessible(folder: str) -> None:
    """Lets this process into a folder that a program of the same user has locked; root needs no permission."""
    with contextlib.suppress(PermissionError):
        os.chmod(folder, 0o700)


def main() -> None:
    """Runs the jobs of one cell until the host closes standard input."""
    if os.getpid() != 1:
        ctypes.CDLL(None).prctl(36, 1, 0, 0, 0)  # PR_SET_CHILD_SUBREAPER: orphans of programs become our children
        ctypes.CDLL(None).prctl(1, signal.SIGKILL, 0, 0, 0)  # PR_SET_PDEATHSIG: this process ends with the host
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGCHLD])
    cell = CellProcess()
    greeting = {"python": sys.version.split()[0], "pid": os.getpid(), "fenced": cell.filtered}
    send((GREETING, json.dumps(greeting).encode()))
    while True:
        size = int.from_bytes(read_exactly(0, 4), "big")
        cell.run(json.loads(read_exactly(0, size)))


if __name__ == "__main__":
    main()
