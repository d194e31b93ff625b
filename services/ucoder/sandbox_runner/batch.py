"""A job as work for cells: which programs share a fork, which run alone, and what is left after one of them died."""

from dataclasses import dataclass, field
from typing import Any

from ucoder.core.outcomes import Outcome
from ucoder.core.tame import Nature
from ucoder.sandbox_runner.cell import Ending, Report, Result
from ucoder.sandbox_runner.job import Limits

SHARED = 24
"""Programs that share one fork: enough to make the fork cheap, few enough to run again when one of them is doubtful."""
_DEATHS = 3
"""After this many deaths a program's other tests count as the last one did."""


@dataclass(slots=True)
class Program:
    """One distinct program and what is known of it so far: a result per runnable test, None where there is none yet."""

    key: int
    source: str
    nature: Nature
    results: list[Result | None]
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

    def restart(self) -> None:
        """Forgets everything, to run again alone."""
        self.results = [None] * len(self.results)
        self.deaths = self.timeouts = 0


@dataclass(slots=True)
class Batch:
    """Programs that run in one fork, on the tests from `first` on."""

    programs: list[Program]
    shared: bool
    reports: list[Report] = field(default_factory=list)

    def frame(self, tests: list[list[str]], limits: Limits, seed: int, number: int) -> dict[str, Any]:
        """What the cell is sent."""
        return {
            "id": number,
            "programs": [[one.key, one.source, one.nature.stateless] for one in self.programs],
            "tests": tests,
            "shared": self.shared,
            "first": 0 if self.shared else self.programs[0].next_test,
            "limits": {
                **limits.as_frame(),
                "give_up_after_timeouts": max(1, limits.give_up_after_timeouts - self.programs[0].timeouts)
                if not self.shared
                else limits.give_up_after_timeouts,
            },
            "seed": seed,
        }

    def settle(self, ending: Ending, limits: Limits) -> list["Batch"]:
        """Books what was reported and how the fork ended; returns what must still run."""
        return self._settle_shared() if self.shared else self._settle_alone(ending, limits)

    def _settle_shared(self) -> list["Batch"]:
        if any(report.doubt for report in self.reports):
            return [Batch([one], shared=False) for one in self.programs]
        known = {one.key: one for one in self.programs}
        for report in self.reports:
            known[report.program].results = list(report.results)
        left = [one for one in self.programs if not one.done]
        if not left:
            return []
        culprit, *others = left
        again = [Batch([culprit], shared=False)]
        return [*again, Batch(others, shared=True)] if others else again

    def _settle_alone(self, ending: Ending, limits: Limits) -> list["Batch"]:
        program = self.programs[0]
        program.peak_mb = max(program.peak_mb, ending.peak_mb)
        for report in self.reports:
            for number, result in enumerate(report.results, report.first):
                if program.results[number] is None:
                    program.results[number] = result
                    program.timeouts += result.status == "timeout_cpu"
        if program.done:
            return []
        status = _death(ending)
        program.results[program.next_test] = Result(status, "", 0.0)
        program.deaths += 1
        program.timeouts += status in ("timeout_cpu", "timeout_wall")
        if program.timeouts >= limits.give_up_after_timeouts or program.deaths >= _DEATHS:
            program.note = program.note or "abandoned"
            final = "abandoned" if program.timeouts >= limits.give_up_after_timeouts else status
            program.results = [result or Result(final, "", 0.0) for result in program.results]
        return [] if program.done else [self.__class__([program], shared=False)]


def _death(ending: Ending) -> str:
    if ending.why in ("timeout_cpu", "timeout_wall"):
        return ending.why
    return "output_limit" if ending.why == "talk" or ending.status & 0x7F == 25 else "crashed"


def batches(programs: list[Program], share: bool = True) -> list[Batch]:
    """The first batches of a job: tame programs together, each other one by itself."""
    tame = [one for one in programs if one.nature.tame and share]
    shared = [Batch(tame[start : start + SHARED], shared=True) for start in range(0, len(tame), SHARED)]
    return shared + [Batch([one], shared=False) for one in programs if not (one.nature.tame and share)]
