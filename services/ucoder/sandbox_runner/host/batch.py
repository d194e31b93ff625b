"""Batches: which programs of a job share a fork, which run alone, and what must run again after a fork has ended."""

from dataclasses import dataclass, field

from ucoder.core.fork_safety import ForkSafety
from ucoder.core.outcomes import Outcome
from ucoder.sandbox_runner.guest import cell_protocol as protocol
from ucoder.sandbox_runner.guest.cell_protocol import TIMEOUT_CPU, CellProgram, CellTest, Job
from ucoder.sandbox_runner.host.cell import CellResult, ForkEnd, ProgramReport
from ucoder.sandbox_runner.sandbox_job import Limits

FEWEST_SHARED, MOST_SHARED = 8, 120
"""Programs that share one fork: enough to make the fork cheap, few enough to run again when one of them changed the
interpreter.
"""
_TOLERATED_FACTOR = 1.25
"""A time-out counts when the cell's clock was at most this many times faster than its limits assumed."""
_CERTAIN_SHARE = 0.5
"""A time-out in a shared fork counts when the test had this share of its limit for certain; otherwise it is confirmed
alone.
"""
_MOST_RETRIES = 3
_TIMEOUTS = (TIMEOUT_CPU, protocol.TIMEOUT_WALL)
_NOT_COMPARED = (*_TIMEOUTS, Outcome.INFRA_ERROR)
_MOST_DEATHS = 3
"""After this many deaths a program's other tests get the result of the last one."""
_SIGXFSZ = 25
"""The signal that ends a process whose file grows beyond its limit."""


@dataclass(slots=True)
class Program:
    """One distinct program, and its results so far for each test that runs in a cell: None where there is none yet."""

    key: int
    source: str
    fork_safety: ForkSafety
    results: list[CellResult | None]
    peak_mb: float = 0.0
    note: str = ""
    verdicts: dict[int, Outcome] = field(default_factory=dict)
    """By test number: the outcomes of block tests, which a judge decides."""
    deaths: int = 0
    timeouts: int = 0

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
        self.results = [None] * len(self.results)
        self.deaths = self.timeouts = 0
        self.note = ""


@dataclass(slots=True)
class Batch:
    """Programs that run in one fork: several that share it on all tests, or one from its next test on."""

    programs: list[Program]
    shared: bool
    time_factor: float = 1.0
    """What the time limits are multiplied by, because the machine is loaded."""
    retries: int = 0
    """How often it ran again because the machine was too loaded for its time-outs to count."""
    reports: list[ProgramReport] = field(default_factory=list)

    def job(
        self, tests: list[CellTest], limits: Limits, seed: int, number: int, interpreter: tuple[str, ...] = ()
    ) -> Job:
        """Returns the batch as a cell reads it."""
        first = self.programs[0]
        return {
            "id": number,
            "interpreter": list(interpreter),
            "most_reports": len(tests) * len(self.programs) + 1,
            "programs": [CellProgram(one.key, one.source, one.fork_safety.stateless) for one in self.programs],
            "tests": tests,
            "shared": self.shared,
            "first": 0 if self.shared else first.next_test,
            "limits": {
                **limits.as_frame(),
                "cpu_seconds": limits.cpu_seconds * self.time_factor,
                "wall_seconds": max(limits.wall_seconds, 2 * limits.cpu_seconds * self.time_factor),
                "give_up_after_timeouts": limits.give_up_after_timeouts
                if self.shared
                else max(1, limits.give_up_after_timeouts - first.timeouts),
            },
            "seed": seed,
        }

    def finish(self, end: ForkEnd, limits: Limits) -> list["Batch"]:
        """Records what was reported and how the fork ended; returns the batches that must run next."""
        starved = end.clock_factor > self.time_factor * _TOLERATED_FACTOR and self.retries < _MOST_RETRIES
        return self._split_shared(end, limits, starved) if self.shared else self._finish_alone(end, limits, starved)

    def _split_shared(self, end: ForkEnd, limits: Limits, starved: bool) -> list["Batch"]:
        """Splits a shared batch into what still has to run: those with an uncertain result alone, the others together.

        A program that changed the interpreter makes all results of its fork uncertain. A program at which the fork
        died makes only its own so.
        """
        programs = {one.key: one for one in self.programs}
        if any(report.doubt for report in self.reports):
            ran = {report.program for report in self.reports}
            return [
                *(Batch([one], shared=False) for one in self.programs if one.key in ran),
                *batches([one for one in self.programs if one.key not in ran]),
            ]
        again = []
        for report in self.reports:
            program = programs[report.program]
            program.results = list(report.results)
            if report.timed_out and (starved or self._uncertain(report, limits)):
                program.restart()
                again.append(
                    self._with_more_time(program, end)
                    if starved
                    else Batch([program], False, self.time_factor, self.retries)
                )
        left = [one for one in self.programs if not one.done and all(one not in batch.programs for batch in again)]
        if left and not (end.why == protocol.EXITED and end.status == 0):
            again.append(Batch([left.pop(0)], shared=False))
        return [*again, Batch(left, shared=True)] if left else again

    def _finish_alone(self, end: ForkEnd, limits: Limits, starved: bool) -> list["Batch"]:
        """Records the results of a program that runs alone; where it died, its next test gets that as its result."""
        program = self.programs[0]
        program.peak_mb = max(program.peak_mb, end.peak_mb)
        for report in self.reports:
            for number, result in enumerate(report.results, report.first):
                if program.results[number] is None:
                    program.results[number] = result
                    program.timeouts += result.status == TIMEOUT_CPU
        if starved and (program.timed_out or (not program.done and end.why == TIMEOUT_CPU)):
            program.restart()
            return [self._with_more_time(program, end)]
        if program.done:
            return []
        status = _status_of_death(end)
        program.results[program.next_test] = CellResult(status, "", 0.0)
        program.deaths += 1
        program.timeouts += status in _TIMEOUTS
        if program.timeouts >= limits.give_up_after_timeouts or program.deaths >= _MOST_DEATHS:
            program.note = "abandoned"
            program.results = [result or CellResult(status, "", 0.0) for result in program.results]
        return [] if program.done else [Batch([program], False, self.time_factor, self.retries)]

    def _uncertain(self, report: ProgramReport, limits: Limits) -> bool:
        """Returns whether one of a program's time-outs may be due to the machine.

        A moment that others take can cost a whole test, and hardly shows in the time of a fork of many programs.
        """
        return limits.cpu_seconds * self.time_factor - report.lost < _CERTAIN_SHARE * limits.cpu_seconds

    def _with_more_time(self, program: Program, end: ForkEnd) -> "Batch":
        """Returns a batch that runs a program again alone, with as much more time as the machine was too busy."""
        return Batch([program], False, end.clock_factor * _TOLERATED_FACTOR, self.retries + 1)


def _status_of_death(end: ForkEnd) -> str:
    """Returns the status of the test during which a fork ended."""
    if end.why in _TIMEOUTS:
        return end.why
    return Outcome.OUTPUT_LIMIT if end.status & 0x7F == _SIGXFSZ else Outcome.CRASHED


def batches(programs: list[Program], share: bool = True, pieces: int = 1) -> list[Batch]:
    """Returns the first batches of a job: fork-safe programs together, in at least so many pieces, and each other
    program by itself.
    """
    safe = [one for one in programs if one.fork_safety.may_share and share]
    size = min(MOST_SHARED, max(FEWEST_SHARED, -(-len(safe) // pieces)))
    shared = [Batch(safe[start : start + size], shared=True) for start in range(0, len(safe), size)]
    return shared + [Batch([one], shared=False) for one in programs if not (one.fork_safety.may_share and share)]
