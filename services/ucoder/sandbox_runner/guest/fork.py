"""One fork of a cell, made before there is a job for it, so that no job waits for a fork.

The fork changes to a user of its own and warms up at once; the head of its job then says which limits hold. The fork
itself reads the programs and tests, so that nothing of one job is in the memory that the next fork inherits. Its parent
watches it: passes its reports on to the host, and says when it must end.
"""

import base64
import contextlib
import fcntl
import json
import os
import resource
import signal
import time
from dataclasses import dataclass

from ucoder.sandbox_runner.guest import cell_protocol as protocol
from ucoder.sandbox_runner.guest import interpreter_state, program_run, program_runner, script_run
from ucoder.sandbox_runner.guest.cell_protocol import (
    OUTPUT_DESCRIPTOR,
    PIPE_BYTES,
    REPORT_DESCRIPTOR,
    CellTest,
    Job,
    JobHead,
    read_available,
    read_exactly,
    send,
    send_heartbeat,
    take_frames,
)
from ucoder.sandbox_runner.guest.fixed_time import FixedTime

GRACE_SECONDS = 0.1
"""Processor time beyond the limit of a test before the fork is ended from outside."""
BUSY_SHARE, BUSY_FACTOR = 0.1, 10
"""A fork that had this share of a processor does not sleep: a loaded machine makes it wait. Its wall limit is this many
times longer."""
INTERPRETER_SECONDS = 2.0
"""Processor time that another language's interpreter may take to start, beyond the limit of its first test."""
LARGEST_REPORT = 8 << 20
SHORTEST_PAUSE, LONGEST_PAUSE = 0.002, 0.05
"""Seconds between two checks of a fork."""


@dataclass(frozen=True, slots=True)
class ForkPlace:
    """The folder and the user of a fork."""

    folder: str
    user: int | None
    """The number of its own user; None where all forks share the user of the cell."""
    other_processes: int
    """How many processes of a shared user are no program's; they count towards its process limit."""
    baseline: int
    """Address space of the interpreter in bytes, which the memory limit does not charge."""


@dataclass(slots=True)
class Fork:
    """A fork as its parent sees it: the child's number, the two pipes to it, and the file that a script prints into."""

    place: ForkPlace
    child: int
    reports: int
    orders: int
    script_output: int
    run_outputs: tuple[int, int]
    """What a program that is run for its output writes to stdout and stderr."""
    used: float = 0.0
    """Processor seconds that it took before it had a job."""

    @classmethod
    def start(cls, place: ForkPlace, libraries: interpreter_state.Libraries, fixed: FixedTime) -> "Fork":
        """Forks; the child waits for its job and never returns from here."""
        reports, reporting = os.pipe()
        awaited, orders = os.pipe()
        (stdout, to_stdout), (stderr, to_stderr) = os.pipe(), os.pipe()
        script_output = os.memfd_create("stdout")
        for pipe in (reports, stdout, stderr):
            os.set_blocking(pipe, False)
        with contextlib.suppress(PermissionError):  # where a user has too many; a small pipe is read more often
            fcntl.fcntl(reports, fcntl.F_SETPIPE_SZ, PIPE_BYTES)
        child = os.fork()
        if child == 0:
            try:
                for pipe in (reports, orders, stdout, stderr):
                    os.close(pipe)
                move_descriptor(reporting, REPORT_DESCRIPTOR)
                move_descriptor(script_output, OUTPUT_DESCRIPTOR)
                run_child(place, awaited, (to_stdout, to_stderr), libraries, fixed)
            finally:
                os._exit(70)
        for pipe in (reporting, awaited, to_stdout, to_stderr):
            os.close(pipe)
        return cls(place, child, reports, orders, script_output, (stdout, stderr))

    def send_head(self, head: JobHead) -> None:
        """Sends the head of a job; the fork then reads the rest of the job and runs it."""
        self.used = processor_seconds(self.child)
        data = json.dumps(head).encode()
        with contextlib.suppress(BrokenPipeError):  # it died just now, which the watch over it will report
            os.write(self.orders, len(data).to_bytes(4, "big") + data)

    def close(self) -> None:
        """Closes the pipes and the file."""
        for descriptor in (self.reports, self.orders, self.script_output, *self.run_outputs):
            os.close(descriptor)


def processor_seconds(child: int, otherwise: float = 0.0) -> float:
    """Returns the processor seconds of a child so far; `otherwise` where the kernel does not tell."""
    try:
        return time.clock_gettime((~child << 3) | 2)
    except OSError:
        return otherwise


def run_child(
    place: ForkPlace,
    awaited: int,
    run_outputs: tuple[int, int],
    libraries: interpreter_state.Libraries,
    fixed: FixedTime,
) -> None:
    """Runs in the child: gives up its rights, warms up, waits for its job and runs it."""
    redirect_to_null(1, 2)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGCHLD])
    os.setsid()
    os.chdir(place.folder)
    if place.user is not None:
        os.setgroups([])
        os.setresgid(place.user, place.user, place.user)
        os.setresuid(place.user, place.user, place.user)
    program_runner.warm_up(libraries)
    head = json.loads(read_exactly(awaited, int.from_bytes(read_exactly(awaited, 4), "big")))
    job: Job = head | json.loads(read_exactly(0, head["size"]))
    os.close(awaited)
    send_heartbeat()
    if job["script"]:
        script_run.set_standard_input(CellTest(*job["tests"][0][0]).text.encode("utf-8", "surrogateescape"))
        os.dup2(OUTPUT_DESCRIPTOR, 1)
    elif "content" in job:
        script_run.set_standard_input(base64.b64decode(job["content"]["stdin"]))
    else:
        redirect_to_null(0)
    os.close(OUTPUT_DESCRIPTOR)
    set_limits(place, job)
    if "content" in job:
        program_run.main(job["content"], run_outputs, fixed)
    for pipe in run_outputs:
        os.close(pipe)
    if job["interpreter"]:
        become_interpreter(job)
    program_runner.main(job, libraries, fixed)


def move_descriptor(descriptor: int, number: int) -> None:
    """Gives a descriptor another number, under which other programs do not inherit it."""
    os.dup2(descriptor, number, inheritable=False)
    os.close(descriptor)


def redirect_to_null(*descriptors: int) -> None:
    """Opens /dev/null in place of these descriptors."""
    null = os.open("/dev/null", os.O_RDWR)
    for descriptor in descriptors:
        os.dup2(null, descriptor)
    os.close(null)


def set_limits(place: ForkPlace, head: JobHead) -> None:
    """Applies the limits of a job, which hold for every process that it starts."""
    limits = head["limits"]
    if not head["interpreter"]:
        set_limit(resource.RLIMIT_AS, place.baseline + limits["memory_mb"] * (1 << 20))
    set_limit(resource.RLIMIT_FSIZE, limits["file_size_mb"] * (1 << 20))
    set_limit(resource.RLIMIT_NOFILE, limits["open_files"])
    set_limit(resource.RLIMIT_CORE, 0)
    if place.user is not None:
        set_limit(resource.RLIMIT_NPROC, limits["processes"])
    elif place.other_processes:
        set_limit(resource.RLIMIT_NPROC, limits["processes"] + place.other_processes)


def become_interpreter(job: Job) -> None:
    """Replaces this process by another language's interpreter, which reads the job on its standard input.

    Such an interpreter reserves far more address space than it uses, so it limits its memory itself.
    """
    with open("job", "w+") as file:
        json.dump(job, file)
        file.seek(0)
        os.dup2(file.fileno(), 0)
    os.unlink("job")
    os.set_inheritable(REPORT_DESCRIPTOR, True)
    guest = __file__.rsplit("/", 1)[0]
    command = [part.format(guest=guest) for part in job["interpreter"]]
    command[0] = os.environ.get("NODE") or command[0]
    command[1:1] = [f"--max-old-space-size={job['limits']['memory_mb']}", f"--random-seed={job['seed'] + 1}"]
    os.execv(command[0], command)


def set_limit(which: int, value: int) -> None:
    """Changes the soft and the hard limit of one resource."""
    resource.setrlimit(which, (value, value))


def watch(fork: Fork, head: JobHead) -> str:
    """Passes reports on until the fork ends or must be ended; returns the reason."""
    limits, child = head["limits"], fork.child
    allowed = limits["cpu_seconds"] + GRACE_SECONDS
    starting = INTERPRETER_SECONDS if head["interpreter"] else 0.0
    spent, heard = fork.used, time.monotonic()
    reports, alive_at, pause = 0, heard, SHORTEST_PAUSE
    reading = True  # its job, which is not charged to the first test
    buffered = bytearray()
    while True:
        signal.sigtimedwait([signal.SIGCHLD], pause)
        ended = has_ended(child)
        fresh = read_available(fork.reports)
        buffered += fresh
        payloads, heartbeats = take_frames(buffered)
        fit = [payload for payload in payloads if len(payload) <= LARGEST_REPORT][: head["most_reports"] - reports]
        send(*((protocol.REPORT, payload) for payload in fit))
        reports += len(fit)
        if len(fit) < len(payloads):
            return protocol.REPORTED_TOO_MUCH
        if ended:
            return protocol.EXITED
        now = time.monotonic()
        starting = 0.0 if payloads else starting
        if payloads or (heartbeats and (head["shared"] or reading)):
            reading = False
            heard, spent = now, processor_seconds(child, spent)
        elif len(buffered) > LARGEST_REPORT:
            return protocol.REPORTED_TOO_MUCH
        elif processor_seconds(child, spent) - spent > allowed + starting:
            return protocol.TIMEOUT_CPU
        if now - heard > limits["wall_seconds"]:
            busy = processor_seconds(child, spent) - spent > BUSY_SHARE * (now - heard)
            if not busy or now - heard > BUSY_FACTOR * limits["wall_seconds"]:
                return protocol.TIMEOUT_WALL
        if now - alive_at > 1.0:
            alive_at = now
            send((protocol.ALIVE, b""))
        pause = SHORTEST_PAUSE if len(fresh) > protocol.PIPE_BYTES // 2 else min(2 * pause, LONGEST_PAUSE)


def has_ended(child: int) -> bool:
    """Returns whether a child has ended, and leaves it to be waited for."""
    return os.waitid(os.P_PID, child, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None
