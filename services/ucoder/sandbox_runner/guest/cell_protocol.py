"""The protocol between host and guest: frames, and the words inside them.

A frame is four bytes of length, then that many bytes. The host reads a cell's frames from its standard output; each
begins with a tag of one byte, and the rest is JSON. A fork writes its frames to a pipe that only its parent reads; they
have no tag. An empty one says that the fork has read its job, and later that it is still running.
"""

import contextlib
import os
import sys
from typing import Any, NamedTuple, NotRequired, TypedDict

# Tags of the frames that the host reads.
GREETING = b"H"
"""The cell is ready. Sent once."""
REPORT = b"R"
"""Results of one program. `{"program", "test", "result"}` from a program that runs alone, once for each test;
`{"program", "results"}` from one that shares a fork, then `{"program", "doubt"}` if it changed the interpreter.
"""
OUTPUT = b"O"
"""A part of what a program wrote: one byte with the number of the stream, then bytes. The streams are stdout, stderr
and the files that a run asks for, in their order. The output of a script is sent after all its processes have ended.
"""
ENDING = b"E"
"""The fork has ended: `{"id", "why", "status", "peak_kb", "processor"}`."""
ALIVE = b"B"
"""Nothing to say, but the cell is alive."""

# Kinds of test, and the text that a test of each kind has.
CALL = "call"
"""An expression, evaluated in the program's namespace; its value is the result."""
SCRIPT = "script"
"""A text for standard input; the program runs as a script in a fork of its own, and what it prints is the result."""
PLAIN = "plain"
"""A test file, run in the program's namespace as Python runs both in one file. It decides for itself."""
STEPS = "steps"
"""JSON: the steps of a block test, done on the program (`block_tests/replay`)."""
JUDGE = "judge"
"""Empty. The program is the payload of a block test's judge (`block_tests/judge`)."""

# Statuses: what became of one test. `outcome_table` says on the host what each of them means.
OK = "ok"
LIKE = "like"
"""As OK, but the text is not all of the value: it holds an object, or its class is not a built-in one."""
STDOUT = "stdout"
ENDED = "ended"
"""A script ended itself with an exit status other than 0. The text is what it printed, as after STDOUT."""
EXCEPTION = "exception"
TIMEOUT_CPU = "timeout_cpu"
ABANDONED = "abandoned"
"""Not run, because the program had its number of time-outs already."""
OUT_OF_MEMORY = "out_of_memory"
OUTPUT_LIMIT = "output_limit"
PROCESS_LIMIT = "process_limit"
PASSED = "passed"
FAILED = "failed"
REFUSED = "refused"
"""A step that reaches past the program."""
UNSUPPORTED = "unsupported"
"""The judge: this test does something that cannot be done by value."""
STOPPED = "stopped"
"""The judge: the test met a result that is not known yet, and had no step to ask for."""
NEEDS_STEPS = "steps"
"""The judge: the text lists the steps to do on the program next."""
STATUSES = frozenset({
    OK, LIKE, STDOUT, ENDED, EXCEPTION, TIMEOUT_CPU, ABANDONED, OUT_OF_MEMORY, OUTPUT_LIMIT, PROCESS_LIMIT, PASSED,
    FAILED, REFUSED, UNSUPPORTED, STOPPED, NEEDS_STEPS,
})  # fmt: skip

# Why a fork ended; TIMEOUT_CPU is one of these words too.
EXITED = "exit"
TIMEOUT_WALL = "timeout_wall"
REPORTED_TOO_MUCH = "talk"
NO_COMMAND = "no_command"
"""The command of a program that was run for its output is not in the cell."""

REFRESH_STATUS = 71
"""The exit status of a runner whose process has changed during a test, so that the next test needs another fork."""
REPORT_DESCRIPTOR, OUTPUT_DESCRIPTOR = 200, 201
"""The file descriptors of a fork on which it reports, and into which a script prints. They are above all numbers that a
program gets for its files."""
PIPE_BYTES = 1 << 20
"""How much a fork can report before it waits to be read."""


class CellTest(NamedTuple):
    """A test as a cell reads it, without any expected value."""

    kind: str
    text: str


class CellProgram(NamedTuple):
    """A program as a cell reads it; `key` is its number within the job, `group` that of its tests."""

    key: int
    source: str
    stateless: bool
    group: int = 0


class OutputWish(TypedDict):
    """The product of a run: its output, up to a limit, and the files that it leaves."""

    most_bytes: int
    fetch: list[str]


class RunContent(TypedDict):
    """A program that is run for its output. Bytes are in base64."""

    name: str
    """The name of the program's file."""
    program: str
    command: list[str]
    """The command that runs or compiles the program; empty for Python."""
    args: list[str]
    stdin: str
    files: dict[str, str]


class JobHead(TypedDict):
    """The part of a job that the first process of a cell reads."""

    id: int
    interpreter: list[str]
    """The command of another language's interpreter; empty for Python."""
    most_reports: int
    shared: bool
    """Whether several programs share the fork."""
    script: bool
    """Whether the only test of the only program is a script."""
    limits: dict[str, Any]
    """The fields of `sandbox_job.Limits`."""
    seed: int
    wish: NotRequired[OutputWish]
    """Set where one program is run for its output; it then has a `content` and no tests."""


class Job(JobHead):
    """A whole job. The part that only the fork reads follows the head: its size in bytes is the head's `size`."""

    programs: list[CellProgram]
    tests: list[list[CellTest]]
    """By group of programs, the tests that each of them runs."""
    content: NotRequired[RunContent]


BODY = ("programs", "tests", "content")
"""The keys of a job that only the fork reads."""


def read_exactly(descriptor: int, size: int) -> bytes:
    """Reads `size` bytes; ends this process when the other side has closed the connection."""
    data = bytearray()
    while len(data) < size:
        more = os.read(descriptor, min(1 << 20, size - len(data)))
        if not more:
            sys.exit(0)
        data += more
    return bytes(data)


def send(*messages: tuple[bytes, bytes]) -> None:
    """Sends frames to the host, each made of a tag and a payload."""
    data = b"".join((len(payload) + 1).to_bytes(4, "big") + tag + payload for tag, payload in messages)
    while data:
        data = data[os.write(1, data) :]


def send_heartbeat() -> None:
    """Sends an empty frame from a fork."""
    os.write(REPORT_DESCRIPTOR, b"\0\0\0\0")


def read_available(pipe: int) -> bytes:
    """Reads what a pipe holds now, up to its capacity; empty when that is nothing."""
    with contextlib.suppress(BlockingIOError):
        return os.read(pipe, PIPE_BYTES)
    return b""


def take_frames(buffered: bytearray) -> tuple[list[bytes], int]:
    """Takes the complete frames off the front: returns those with a payload, and how many were empty."""
    payloads, empty, at = [], 0, 0
    while len(buffered) >= at + 4:
        end = at + 4 + int.from_bytes(buffered[at : at + 4], "big")
        if len(buffered) < end:
            break
        if end > at + 4:
            payloads.append(bytes(buffered[at + 4 : end]))
        else:
            empty += 1
        at = end
    del buffered[:at]
    return payloads, empty
