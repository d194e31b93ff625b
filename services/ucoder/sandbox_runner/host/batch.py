"""A job as work for cells: which programs share a fork, which run alone, and what is left after one of them died."""

from dataclasses import dataclass, field
from typing import Any

from ucoder.core.fork_safety import ForkSafety
from ucoder.core.outcomes import Outcome
from ucoder.sandbox_runner.host.cell import CellResult, Ending, Report
from ucoder.sandbox_runner.sandbox_job import Limits

FEWEST, SHARED = 8, 120
"""Programs that share one fork: enough to make the fork cheap, few enough to run again when one of them is doubtful."""
_BELIEVED = 1.25
"""A time-out is believed when the cell got its processor, to this factor, as fast as its limits assumed."""
_SURE = 0.5
"""Of its limit a test must have got this much for certain, else its time-out in a shared fork is confirmed alone."""
_TRIES = 3
_WAITED = ("timeout_cpu", "timeout_wall")
_DEATHS = 3
"""After this many deaths a program's other tests count as the last one did."""


@dataclass(slots=True)
class Program:
    """One distinct program and what is known of it so far: a result per runnable test, None where there is none yet."""

    key: int
    source: str
    nature: ForkSafety
    results: list[CellResult | None]
    peak_mb: float = 0.0
    note: str = ""
    verdicts: dict[int, Outcome] = field(default_factory=dict)
    """Of the tests that a judge decides, by number."""
    deaths: int = 0
    timeouts: int = 0

    @property
    def next_test(self) -> int:
        """The first test without a result; the number of tests when it is done."""
        return next((number for number, result in enumerate(self.results) if result is None), len(self.results))

    @property
    def done(self) -> bool:
        return None not in self.results

    @property
    def timed_out(self) -> bool:
        return any(result is not None and result.status == "timeout_cpu" for result in self.results)

    def doubt(self, other: "Program") -> None:
        """Marks results that another run, under other hashes, random numbers and time, did not confirm.

        A time-out is no result to compare: how long something takes is never quite the same.
        """
        for number, (one, two) in enumerate(zip(self.results, other.results, strict=True)):
            if one and two and one.status != "timeout_cpu" and two.status not in (*_WAITED, "infra_error"):
                same_error = one.status == "exception" and one.text.split(":")[0] == two.text.split(":")[0]
                if (one.status, one.text) != (two.status, two.text) and not same_error:
                    self.results[number] = CellResult("nondeterministic", one.text, one.seconds)

    def restart(self) -> None:
        """Forgets everything, to run again alone."""
        self.results = [None] * len(self.results)
        self.deaths = self.timeouts = 0
        self.note = ""


@dataclass(slots=True)
class Batch:
    """Programs that run in one fork, on the tests from `first` on."""

    programs: list[Program]
    shared: bool
    stretch: float = 1.0
    """What its limits of time were multiplied by."""
    tries: int = 0
    """How often it was run again because the machine was too loaded to believe its time-outs."""
    reports: list[Report] = field(default_factory=list)

    def frame(
        self, tests: list[list[str]], limits: Limits, seed: int, number: int, interpreter: tuple[str, ...] = ()
    ) -> dict[str, Any]:
        """What the cell is sent."""
        return {
            "id": number,
            "interpreter": list(interpreter),
            "most_reports": len(tests) * len(self.programs) + 1,
            "programs": [[one.key, one.source, one.nature.stateless] for one in self.programs],
            "tests": tests,
            "shared": self.shared,
            "first": 0 if self.shared else self.programs[0].next_test,
            "limits": {
                **limits.as_frame(),
                "cpu_seconds": limits.cpu_seconds * self.stretch,
                "wall_seconds": max(limits.wall_seconds, 2 * limits.cpu_seconds * self.stretch),
                "give_up_after_timeouts": max(1, limits.give_up_after_timeouts - self.programs[0].timeouts)
                if not self.shared
                else limits.give_up_after_timeouts,
            },
            "seed": seed,
        }

    def settle(self, ending: Ending, limits: Limits) -> list["Batch"]:
        """Books what was reported and how the fork ended; returns what must still run."""
        starved = ending.stretch > self.stretch * _BELIEVED and self.tries < _TRIES
        return (
            self._settle_shared(ending, limits, starved) if self.shared else self._settle_alone(ending, limits, starved)
        )

    def _settle_shared(self, ending: Ending, limits: Limits, starved: bool) -> list["Batch"]:
        known = {one.key: one for one in self.programs}
        if any(report.doubt for report in self.reports):
            met = {report.program for report in self.reports}
            return [
                *(Batch([one], shared=False) for one in self.programs if one.key in met),
                *batches([one for one in self.programs if one.key not in met]),
            ]
        again = []
        for report in self.reports:
            one = known[report.program]
            one.results = list(report.results)
            if report.timed_out and (starved or self._unsure(report, limits)):
                one.restart()
                again.append(self._slower([one], ending) if starved else Batch([one], False, self.stretch, self.tries))
        left = [one for one in self.programs if not one.done and all(one not in batch.programs for batch in again)]
        if left and not (ending.why == "exit" and ending.status == 0):
            again.append(Batch([left.pop(0)], shared=False))
        return [*again, Batch(left, shared=True)] if left else again

    def _settle_alone(self, ending: Ending, limits: Limits, starved: bool) -> list["Batch"]:
        program = self.programs[0]
        program.peak_mb = max(program.peak_mb, ending.peak_mb)
        for report in self.reports:
            for number, result in enumerate(report.results, report.first):
                if program.results[number] is None:
                    program.results[number] = result
                    program.timeouts += result.status == "timeout_cpu"
        if starved and (program.timed_out or (not program.done and ending.why == "timeout_cpu")):
            program.restart()
            return [self._slower([program], ending)]
        if program.done:
            return []
        status = _death(ending)
        program.results[program.next_test] = CellResult(status, "", 0.0)
        program.deaths += 1
        program.timeouts += status in _WAITED
        if program.timeouts >= limits.give_up_after_timeouts or program.deaths >= _DEATHS:
            program.note = "abandoned"
            program.results = [result or CellResult(status, "", 0.0) for result in program.results]
        return [] if program.done else [Batch([program], shared=False, stretch=self.stretch, tries=self.tries)]

    def _unsure(self, report: Report, limits: Limits) -> bool:
        """Whether one of a program's time-outs may be the machine's: a moment of others costs a whole test, and is
        nothing in the time of a fork of many."""
        return limits.cpu_seconds * self.stretch - report.lost < _SURE * limits.cpu_seconds

    def _slower(self, programs: list[Program], ending: Ending) -> "Batch":
        """The same again alone, with as much more time as the machine was too busy."""
        return Batch(programs, shared=False, stretch=ending.stretch * _BELIEVED, tries=self.tries + 1)


def _death(ending: Ending) -> str:
    if ending.why in _WAITED:
        return ending.why
    too_large_a_file = 25
    return "output_limit" if ending.status & 0x7F == too_large_a_file else "crashed"


def batches(programs: list[Program], share: bool = True, pieces: int = 1) -> list[Batch]:
    """The first batches of a job: tame programs together, in so many pieces at least, each other one by itself."""
    tame = [one for one in programs if one.nature.tame and share]
    size = min(SHARED, max(FEWEST, -(-len(tame) // pieces)))
    shared = [Batch(tame[start : start + size], shared=True) for start in range(0, len(tame), size)]
    return shared + [Batch([one], shared=False) for one in programs if not (one.nature.tame and share)]
