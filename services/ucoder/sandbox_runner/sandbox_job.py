"""The request to the sandbox and its result: jobs, limits, and one program's result."""

from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from ucoder.core.outcomes import Outcome
from ucoder.core.test_plans import Test


@dataclass(frozen=True, slots=True)
class Limits:
    """The limits of one program. Each limit has an outcome of its own."""

    cpu_seconds: float = 1.0
    """Processor time of one test; loading the program counts with its first test."""
    wall_seconds: float = 5.0
    """Elapsed time of one test, for programs that sleep or wait."""
    memory_mb: int = 512
    """Address space beyond the interpreter's own."""
    processes: int = 16
    """Processes and threads at once, including the program's first."""
    open_files: int = 64
    file_size_mb: int = 16
    output_kb: int = 1024
    """Text of one returned value, or of one script's output; a longer text gives the outcome `output_limit`."""
    give_up_after_timeouts: int = 2
    """A program with this many time-outs is abandoned: its other tests count as timed out."""

    def as_frame(self) -> dict[str, Any]:
        """Returns the limits as the cell reads them."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class SandboxJob:
    """Programs, and the tests that each of them is run on."""

    programs: tuple[str, ...]
    tests: tuple[Test, ...]
    entry_point: str = ""
    language: str = "python"
    limits: Limits = field(default_factory=Limits)
    check_determinism: bool = False
    """Runs every program again under another hash seed, time and random state; what changes is NONDETERMINISTIC."""
    mode: Literal["outside", "compat"] = "outside"
    """`compat`: a test is a whole file that runs beside the program and decides for itself, as standard benchmarks do
    it. A program can forge such a verdict, so `compat` is never the default."""


@dataclass(frozen=True, slots=True)
class ProgramResult:
    """The result of one program on every test."""

    program: int
    """Index in `SandboxJob.programs`."""
    outcomes: tuple[Outcome, ...]
    outputs: tuple[str | None, ...]
    """Canonical text of what each call returned (`core/values`), `!Type: message` where it raised, a script's
    output; None where a test has none."""
    seconds: tuple[float, ...]
    peak_memory_mb: float = 0.0
    """0 where the program shared a fork, because its own share cannot be told."""
    duplicates: int = 1
    """How many programs of the job have this text."""
    cached: bool = False
    note: str = ""
    """An explanation for people."""
