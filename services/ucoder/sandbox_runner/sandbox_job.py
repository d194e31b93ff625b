"""What a caller asks of the sandbox, and what it gets back."""

from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from ucoder.core.outcomes import Outcome
from ucoder.core.test_plans import Test


@dataclass(frozen=True, slots=True)
class Limits:
    """What one program may use. Each limit that is met has an outcome of its own."""

    cpu_seconds: float = 1.0
    """Processor time of one test; loading the program counts with its first test."""
    wall_seconds: float = 5.0
    """Time of one test on the wall, for programs that sleep or wait."""
    memory_mb: int = 512
    """Address space beyond the interpreter's own."""
    processes: int = 16
    """Processes and threads at once, its own included."""
    open_files: int = 64
    file_size_mb: int = 16
    output_kb: int = 1024
    """Text of one returned value, or of one script's output; what is longer is cut and said to be."""
    give_up_after_timeouts: int = 2
    """A program with this many time-outs is abandoned: its other tests count as timed out."""

    def as_frame(self) -> dict[str, Any]:
        """As the cell reads it."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class SandboxJob:
    """Programs and the tests each of them is run on."""

    programs: tuple[str, ...]
    tests: tuple[Test, ...]
    entry_point: str = ""
    language: str = "python"
    limits: Limits = field(default_factory=Limits)
    check_determinism: bool = False
    """Run again under another hash seed, time and random state; what changes is NONDETERMINISTIC."""
    mode: Literal["outside", "compat"] = "outside"
    """`compat`: a test is a whole file that runs beside the program and decides for itself, as standard benchmarks do
    it. A program can forge such a verdict, so it is never the default."""


@dataclass(frozen=True, slots=True)
class ProgramResult:
    """One program on every test."""

    program: int
    """Index in `Job.programs`."""
    outcomes: tuple[Outcome, ...]
    outputs: tuple[str | None, ...]
    """Canonical text of what each call returned (`core/values`), `!Type: message` where it raised, a script's
    output; None where a test has none."""
    seconds: tuple[float, ...]
    peak_memory_mb: float = 0.0
    """0 where it shared a fork, so that nobody can tell."""
    duplicates: int = 1
    """How many programs of the job have this text."""
    cached: bool = False
    note: str = ""
    """Words for a person."""
