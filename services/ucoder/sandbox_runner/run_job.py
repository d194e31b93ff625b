"""The request for one run of a program, and its result: output, exit code and files instead of verdicts."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from ucoder.sandbox_runner.sandbox_job import Limits

STDOUT, STDERR = 0, 1
"""The numbers of the streams."""


@dataclass(frozen=True, slots=True)
class RunJob:
    """One program, and what it is run with."""

    program: str
    language: str = "python"
    stdin: bytes = b""
    args: tuple[str, ...] = ()
    files: Mapping[str, bytes] = field(default_factory=dict)
    fetch: tuple[str, ...] = ()
    limits: Limits = field(
        default_factory=lambda: Limits(cpu_seconds=10, wall_seconds=15, memory_mb=1024, output_kb=4096, processes=64)
    )
    compile_seconds: float = 10.0


@dataclass(frozen=True, slots=True)
class OutputChunk:
    """A part of what a program wrote."""

    stream: int
    data: bytes


@dataclass(frozen=True, slots=True)
class ProcessEnd:
    """The end of one process, with all that it wrote up to the limit."""

    ending: str
    """`exited`, `timeout_cpu` or `timeout_wall`."""
    exit_code: int | None
    """Negative: the number of the signal that ended it. None after a time limit."""
    stdout: bytes
    stderr: bytes
    stdout_cut: bool
    stderr_cut: bool
    seconds: float
    cpu_seconds: float
    peak_memory_mb: float
    files: Mapping[str, bytes]
    files_cut: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class RunResult:
    """The result of a run. `process` is None when the program could not be compiled."""

    process: ProcessEnd | None
    compiler: ProcessEnd | None = None
