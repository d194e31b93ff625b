"""The request and the result of `Client.run`: one program, run in the sandbox for what it prints."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypedDict

from ucoder.v1 import sandbox_pb2


class RunOptions(TypedDict, total=False):
    """The keywords of `run` and `run_stream`, all of them optional. A limit that is 0 or absent is the server's."""

    language: str
    """`python`, `javascript`, or another language for which the cells have the tools."""
    stdin: str | bytes
    """What the program reads on its standard input."""
    args: Sequence[str]
    """Its arguments after the program's name."""
    files: Mapping[str, str | bytes]
    """Files to put beside the program, by path."""
    fetch_files: Sequence[str]
    """Paths of the files that the result should hold."""
    cpu_seconds: float
    wall_seconds: float
    memory_mb: int
    output_kb: int
    """Output that is kept of each of stdout and stderr."""
    processes: int
    compile_seconds: float


LIMITS = ("cpu_seconds", "wall_seconds", "memory_mb", "output_kb", "processes", "compile_seconds")


@dataclass(frozen=True, slots=True)
class FinishedProcess:
    """The end of one process, with what it wrote."""

    ending: str
    """`exited`, `timeout_cpu` or `timeout_wall`."""
    exit_code: int | None
    """Negative: the number of the signal that ended it. None after a time limit."""
    stdout: bytes
    stderr: bytes
    stdout_cut: bool
    """Whether it wrote more than `output_kb` to stdout."""
    stderr_cut: bool
    seconds: float
    cpu_seconds: float
    peak_memory_mb: float


@dataclass(frozen=True, slots=True)
class ProgramOutput:
    """The result of a run."""

    process: FinishedProcess | None
    """The program's process; None when it could not be compiled."""
    compiler: FinishedProcess | None
    """The compiler's process; None where the language needs none."""
    files: Mapping[str, bytes] = field(default_factory=dict)
    """The files that were asked for and exist."""
    files_cut: tuple[str, ...] = ()
    """Files that were longer than the limit."""

    @property
    def stdout(self) -> str:
        """The program's standard output as text."""
        return self.process.stdout.decode("utf-8", "replace") if self.process else ""

    @property
    def stderr(self) -> str:
        """The program's standard error as text; the compiler's where it did not compile."""
        end = self.process or self.compiler
        return end.stderr.decode("utf-8", "replace") if end else ""

    @property
    def succeeded(self) -> bool:
        """Tells whether the program ran to its end with exit code 0."""
        return self.process is not None and self.process.exit_code == 0


def run_request(program: str, options: RunOptions, stream: bool = False) -> sandbox_pb2.RunRequest:
    """Returns the request of one run. Raises TypeError for an option that does not exist."""
    known = RunOptions.__annotations__
    if unknown := sorted(set(options) - set(known)):
        raise TypeError(f"no option is called {unknown[0]!r}; there are {', '.join(known)}")
    given: dict[str, Any] = dict(options)
    return sandbox_pb2.RunRequest(
        program=program,
        limits=sandbox_pb2.RunLimits(**{name: given.pop(name) for name in LIMITS if name in given}),
        stdin=_encoded(given.pop("stdin", b"")),
        files={name: _encoded(data) for name, data in given.pop("files", {}).items()},
        stream=stream,
        **given,
    )


def output_of(message: sandbox_pb2.RunResult) -> ProgramOutput:
    """Returns the result in a message."""
    return ProgramOutput(
        process=_process_of(message.process) if message.HasField("process") else None,
        compiler=_process_of(message.compiler) if message.HasField("compiler") else None,
        files=dict(message.files),
        files_cut=tuple(message.files_cut),
    )


def _process_of(message: sandbox_pb2.ProcessResult) -> FinishedProcess:
    values = {field.name: getattr(message, field.name) for field in message.DESCRIPTOR.fields}
    return FinishedProcess(**{**values, "exit_code": message.exit_code if message.HasField("exit_code") else None})


def _encoded(data: str | bytes) -> bytes:
    return data.encode("utf-8", "surrogateescape") if isinstance(data, str) else data
