"""A program in the pool: the tests that it runs on in a cell, its results so far, and the run that it belongs to."""

import asyncio
from dataclasses import dataclass, field

from ucoder.core.fork_safety import ForkSafety
from ucoder.core.outcomes import Outcome
from ucoder.sandbox_runner.guest import cell_protocol as protocol
from ucoder.sandbox_runner.guest.cell_protocol import SCRIPT, TIMEOUT_CPU, CellTest
from ucoder.sandbox_runner.host.cell import CellResult
from ucoder.sandbox_runner.sandbox_job import Limits

TIMEOUTS = (TIMEOUT_CPU, protocol.TIMEOUT_WALL)
_NOT_COMPARED = (*TIMEOUTS, Outcome.INFRA_ERROR)


@dataclass(eq=False, slots=True)
class PoolRun:
    """Programs on tests, waiting or running. Who submitted them waits for `next_finished`, and sets `cancelled` when
    the rest is no longer wanted.
    """

    limits: Limits
    urgent: bool = False
    """Runs before everything that is not urgent."""
    seed: int = 0
    """1: in cells with other hashes, random numbers and time."""
    interpreter: tuple[str, ...] = ()
    queue: str = ""
    """The queue that it waits in. Queues take turns, however long one of them is."""
    finished: "asyncio.Queue[Program | Exception]" = field(default_factory=asyncio.Queue)
    cancelled: asyncio.Event = field(default_factory=asyncio.Event)

    async def next_finished(self) -> "list[Program]":
        """Waits for a finished program, and returns it with all others that are finished; raises what went wrong."""
        programs: list[Program] = []
        while not programs or not self.finished.empty():
            item = await self.finished.get()
            if isinstance(item, Exception):
                raise item
            programs.append(item)
        return programs

    def may_share_with(self, other: "PoolRun") -> bool:
        """Returns whether programs of both may share a fork: they need the same limits and the same cells."""
        return (self.limits, self.seed, self.interpreter) == (other.limits, other.seed, other.interpreter)


@dataclass(slots=True, eq=False)
class Program:
    """One distinct program, the tests that it runs on in a cell, and its results so far: None where there is none."""

    key: int
    source: str
    fork_safety: ForkSafety
    tests: list[CellTest]
    places: dict[int, int] = field(default_factory=dict)
    """By test number of the job, the place of the test among `tests`."""
    results: list[CellResult | None] = field(default_factory=list)
    run: PoolRun = field(default_factory=lambda: PoolRun(Limits()))
    """The run that it was submitted with."""
    peak_mb: float = 0.0
    note: str = ""
    verdicts: dict[int, Outcome] = field(default_factory=dict)
    """By test number: what the judge of a block test says."""
    beside: dict[int, CellResult] = field(default_factory=dict)
    """By test number: the results of tests that ran beside the program after everything else."""
    deaths: int = 0
    timeouts: int = 0

    def __post_init__(self) -> None:
        self.results = self.results or [None] * len(self.tests)

    @property
    def next_test(self) -> int:
        """The first test without a result, or the number of tests when every test has one."""
        return next((number for number, result in enumerate(self.results) if result is None), len(self.results))

    @property
    def done(self) -> bool:
        """True when every test has a result."""
        return None not in self.results

    @property
    def timed_out(self) -> bool:
        """True when a test used up its processor time."""
        return any(result is not None and result.status == TIMEOUT_CPU for result in self.results)

    @property
    def next_tests(self) -> list[CellTest]:
        """The tests that its next fork runs: one script, or all others up to the next script."""
        first = self.next_test
        scripts = (at for at in range(first, len(self.tests)) if self.tests[at].kind == SCRIPT)
        at = next(scripts, len(self.tests))
        return self.tests[first : max(at, first + 1)]

    def mark_differences(self, other: "Program") -> None:
        """Marks as nondeterministic the results that another run, under other hashes, random numbers and time, did not
        confirm.

        Time-outs are not compared, because no two runs take exactly the same time.
        """
        for number, (first, second) in enumerate(zip(self.results, other.results, strict=True)):
            if not first or not second or first.status == TIMEOUT_CPU or second.status in _NOT_COMPARED:
                continue
            error, other_error = first.text.split(":")[0], second.text.split(":")[0]
            same_error = first.status == protocol.EXCEPTION and error == other_error
            if (first.status, first.text) != (second.status, second.text) and not same_error:
                self.results[number] = CellResult(Outcome.NONDETERMINISTIC, first.text, first.seconds)

    def restart(self) -> None:
        """Forgets all results, so that the program can run again alone."""
        self.results = [None] * len(self.tests)
        self.deaths = self.timeouts = 0
        self.note = ""
