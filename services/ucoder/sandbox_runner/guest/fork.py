"""One fork of a cell, made before its job is there, so that no job waits for a fork.

It drops to a user of its own and rehearses at once; its orders then say what limits hold and what runs. It reads the
programs and tests itself, so that nothing of one job lies in the memory that the next fork inherits.
"""

import contextlib
import fcntl
import json
import os
import resource
import signal
import time
from dataclasses import dataclass
from typing import Any

from ucoder.sandbox_runner.guest import interpreter_state, program_runner
from ucoder.sandbox_runner.guest.cpu_timer import REPORT
from ucoder.sandbox_runner.guest.fixed_time import FixedTime
from ucoder.sandbox_runner.guest.frames import PIPE, read_exactly


@dataclass(frozen=True, slots=True)
class Place:
    """Where a fork runs. `user`: the number of its own user, if it has one; `company`: processes of a user shared with
    others; `baseline`: the interpreter's address space in bytes."""

    folder: str
    user: int | None
    company: int
    baseline: int


@dataclass(slots=True)
class Fork:
    """A child as its parent sees it."""

    place: Place
    child: int
    reports: int
    orders: int
    used: float = 0.0
    """Processor seconds that it took before it had a job."""

    @classmethod
    def begin(cls, place: Place, libraries: interpreter_state.Libraries, fixed: FixedTime) -> "Fork":
        """Forks; the child waits for its orders and never returns from here."""
        reports, reporting = os.pipe()
        awaited, orders = os.pipe()
        os.set_blocking(reports, False)
        with contextlib.suppress(PermissionError):  # where a user has too many; a small one is read more often
            fcntl.fcntl(reports, fcntl.F_SETPIPE_SZ, PIPE)
        child = os.fork()
        if child == 0:
            try:
                os.close(reports)
                os.close(orders)
                live(place, reporting, awaited, libraries, fixed)
            finally:
                os._exit(70)
        os.close(reporting)
        os.close(awaited)
        return cls(place, child, reports, orders)

    def order(self, head: dict[str, Any]) -> None:
        """Tells it to read the job that `head` announces, and to run it."""
        self.used = processor_seconds(self.child)
        data = json.dumps(head).encode()
        with contextlib.suppress(BrokenPipeError):  # it died just now: that is what its watcher will say
            os.write(self.orders, len(data).to_bytes(4, "big") + data)

    def close(self) -> None:
        """Lets go of the pipes."""
        os.close(self.reports)
        os.close(self.orders)


def processor_seconds(child: int, otherwise: float = 0.0) -> float:
    """Processor seconds of a fork so far."""
    try:
        return time.clock_gettime((~child << 3) | 2)
    except OSError:
        return otherwise


def live(place: Place, reporting: int, awaited: int, libraries: interpreter_state.Libraries, fixed: FixedTime) -> None:
    """The child's whole life."""
    quieten(1, 2)
    if reporting != REPORT:
        os.dup2(reporting, REPORT)
        os.close(reporting)
    os.set_inheritable(REPORT, False)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGCHLD])
    os.setsid()
    os.chdir(place.folder)
    if place.user is not None:
        os.setgroups([])
        os.setresgid(place.user, place.user, place.user)
        os.setresuid(place.user, place.user, place.user)
    program_runner.rehearse(libraries)
    head = json.loads(read_exactly(awaited, int.from_bytes(read_exactly(awaited, 4), "big")))
    job = json.loads(read_exactly(0, head["size"]))
    os.close(awaited)
    quieten(0)
    confine(place, head)
    if head["interpreter"]:
        become_interpreter(head, job)
    program_runner.main({**head, **job}, libraries, fixed)


def quieten(*descriptors: int) -> None:
    """Leads descriptors to where nothing comes from and nothing arrives."""
    null = os.open("/dev/null", os.O_RDWR)
    for descriptor in descriptors:
        os.dup2(null, descriptor)
    os.close(null)


def confine(place: Place, head: dict[str, Any]) -> None:
    """The limits of a job, which hold for all that it starts."""
    limits = head["limits"]
    if not head["interpreter"]:
        bound(resource.RLIMIT_AS, place.baseline + limits["memory_mb"] * (1 << 20))
    bound(resource.RLIMIT_FSIZE, limits["file_size_mb"] * (1 << 20))
    bound(resource.RLIMIT_NOFILE, limits["open_files"])
    bound(resource.RLIMIT_CORE, 0)
    if place.user is not None:
        bound(resource.RLIMIT_NPROC, limits["processes"])
    elif place.company:
        bound(resource.RLIMIT_NPROC, limits["processes"] + place.company)


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
