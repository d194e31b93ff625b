"""Batches: which programs share a fork, which run alone, and what must run again after a fork has ended."""

from dataclasses import dataclass, field

from ucoder.core.outcomes import Outcome
from ucoder.sandbox_runner.guest import cell_protocol as protocol
from ucoder.sandbox_runner.guest.cell_protocol import PLAIN, SCRIPT, TIMEOUT_CPU, CellProgram, Job
from ucoder.sandbox_runner.host.cell import CellResult, ForkEnd, ProgramReport
from ucoder.sandbox_runner.host.program import TIMEOUTS, Program
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
_MOST_DEATHS = 3
"""After this many deaths a program's other tests get the result of the last one."""
_SIGXFSZ = 25
"""The signal that ends a process whose file grows beyond its limit."""


@dataclass(slots=True)
class Batch:
    """Programs that run in one fork: several that share it on all their tests, or one from its next test on."""

    programs: list[Program]
    shared: bool
    time_factor: float = 1.0
    """What the time limits are multiplied by, because the machine is loaded."""
    retries: int = 0
    """How often it ran again because the machine was too loaded for its time-outs to count."""
    reports: list[ProgramReport] = field(default_factory=list)
    first: int = 0
    """The number of the test that its fork began with."""
    output: bytearray = field(default_factory=bytearray)
    """What a script printed."""

    @property
    def limits(self) -> Limits:
        """The limits of its programs."""
        return self.programs[0].run.limits

    @property
    def mergeable(self) -> bool:
        """True when programs of other runs may join: no test says in the fork what it expects."""
        return self.shared and all(test.kind != PLAIN for one in self.programs for test in one.tests)

    def job(self, number: int) -> Job:
        """Returns the batch as a cell reads it. A program's key is its place in the batch."""
        lead, limits = self.programs[0], self.limits
        self.first = 0 if self.shared else lead.next_test
        self.output.clear()
        groups = (
            {id(one.tests): one.tests for one in self.programs} if self.shared else {id(lead.tests): lead.next_tests}
        )
        places = {group: place for place, group in enumerate(groups)}
        return {
            "id": number,
            "interpreter": list(lead.run.interpreter),
            "most_reports": sum(len(groups[id(one.tests)]) for one in self.programs) + 1,
            "programs": [
                CellProgram(key, one.source, one.fork_safety.stateless, places[id(one.tests)])
                for key, one in enumerate(self.programs)
            ],
            "tests": list(groups.values()),
            "shared": self.shared,
            "script": not self.shared and groups[id(lead.tests)][0].kind == SCRIPT,
            "limits": {
                **limits.as_frame(),
                "cpu_seconds": limits.cpu_seconds * self.time_factor,
                "wall_seconds": limits.wall_seconds * self.time_factor,
                "give_up_after_timeouts": limits.give_up_after_timeouts
                if self.shared
                else max(1, limits.give_up_after_timeouts - lead.timeouts),
            },
            "seed": lead.run.seed,
        }

    def receive(self, stream: int, data: bytes) -> None:
        """Keeps a part of what a script printed, up to the limit."""
        if len(self.output) < self.limits.file_size_mb << 20:
            self.output += data

    def finish(self, end: ForkEnd) -> list["Batch"]:
        """Records what was reported and how the fork ended; returns the batches that must run next."""
        starved = end.clock_factor > self.time_factor * _TOLERATED_FACTOR and self.retries < _MOST_RETRIES
        return self._split_shared(end, starved) if self.shared else self._finish_alone(end, starved)

    def _split_shared(self, end: ForkEnd, starved: bool) -> list["Batch"]:
        """Splits a shared batch into what still has to run: those with an uncertain result alone, the others together.

        A program that changed the interpreter makes all results of its fork uncertain. A program at which the fork
        died makes only its own so.
        """
        if any(report.doubt for report in self.reports):
            ran = {report.program for report in self.reports}
            return [
                *(Batch([one], shared=False) for key, one in enumerate(self.programs) if key in ran),
                *batches([one for key, one in enumerate(self.programs) if key not in ran]),
            ]
        again = []
        for report in self.reports:
            program = self.programs[report.program]
            program.results = list(report.results)
            if report.timed_out and (starved or self._uncertain(report)):
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

    def _finish_alone(self, end: ForkEnd, starved: bool) -> list["Batch"]:
        """Records the results of a program that runs alone; where it died, its next test gets that as its result."""
        program = self.programs[0]
        program.peak_mb = max(program.peak_mb, end.peak_mb)
        for report in self.reports:
            for number, result in enumerate(report.results, self.first + report.first):
                if program.results[number] is None:
                    program.results[number] = result
                    program.timeouts += result.status == TIMEOUT_CPU
        if program.tests[self.first].kind == SCRIPT:
            self._finish_script(program, end)
        if starved and (program.timed_out or (not program.done and end.why == TIMEOUT_CPU)):
            program.restart()
            return [self._with_more_time(program, end)]
        if program.done:
            return []
        if program.tests[self.first].kind == SCRIPT or self._ended_as_asked(program, end):
            return self._unless_abandoned(program)
        status = _status_of_death(end)
        program.results[program.next_test] = CellResult(status, "", 0.0)
        program.deaths += 1
        program.timeouts += status in TIMEOUTS
        return self._unless_abandoned(program, status)

    def _ended_as_asked(self, program: Program, end: ForkEnd) -> bool:
        """Returns whether the fork ended well because its next test needs another: after a change, or for a script."""
        at, status = program.next_test, _exit_status(end)
        return at > self.first and (
            status == protocol.REFRESH_STATUS or (status == 0 and program.tests[at].kind == SCRIPT)
        )

    def _unless_abandoned(self, program: Program, status: str = TIMEOUT_CPU) -> list["Batch"]:
        """Returns the batch of a program's next fork. One with too many time-outs or deaths gets `status` for all the
        other tests instead.
        """
        if program.timeouts >= self.limits.give_up_after_timeouts or program.deaths >= _MOST_DEATHS:
            program.note = "abandoned"
            program.results = [result or CellResult(status, "", 0.0) for result in program.results]
        return [] if program.done else [Batch([program], False, self.time_factor, self.retries)]

    def _finish_script(self, program: Program, end: ForkEnd) -> None:
        """Gives a script its result: what it reported about its end, or how its process ended, and its output."""
        reported = program.results[self.first]
        seconds = reported.seconds if reported else end.seconds
        output = self.output.decode("utf-8", "replace")
        if len(self.output) >= self.limits.file_size_mb << 20:
            result = CellResult(protocol.OUTPUT_LIMIT, "", seconds)
        elif reported and reported.status != protocol.ENDED:
            result = reported
        elif end.why != protocol.EXITED or _exit_status(end) is None:
            result = CellResult(_status_of_death(end), "", seconds)
            program.timeouts += result.status in TIMEOUTS
        elif _exit_status(end) == 0:
            result = CellResult(protocol.STDOUT, output, seconds)
        elif reported:
            result = CellResult(protocol.ENDED, output, seconds)
        else:
            result = CellResult(protocol.EXCEPTION, f"!SystemExit: {_exit_status(end)}", seconds)
        program.results[self.first] = result

    def _uncertain(self, report: ProgramReport) -> bool:
        """Returns whether one of a program's time-outs may be due to the machine.

        A moment that others take can cost a whole test, and hardly shows in the time of a fork of many programs.
        """
        return self.limits.cpu_seconds * self.time_factor - report.lost < _CERTAIN_SHARE * self.limits.cpu_seconds

    def _with_more_time(self, program: Program, end: ForkEnd) -> "Batch":
        """Returns a batch that runs a program again alone, with as much more time as the machine was too busy."""
        return Batch([program], False, end.clock_factor * _TOLERATED_FACTOR, self.retries + 1)


def _exit_status(end: ForkEnd) -> int | None:
    """Returns the exit status of a process that ended by itself; None for one that was killed."""
    return end.status >> 8 if end.why == protocol.EXITED and not end.status & 0x7F else None


def _status_of_death(end: ForkEnd) -> str:
    """Returns the status of the test during which a fork ended."""
    if end.why in TIMEOUTS:
        return end.why
    return Outcome.OUTPUT_LIMIT if end.status & 0x7F == _SIGXFSZ else Outcome.CRASHED


def batches(programs: list[Program], share: bool = True, pieces: int = 1) -> list[Batch]:
    """Returns the first batches of a job: fork-safe programs together, in at least so many pieces, and each other
    program by itself. A script never shares.
    """
    alone = {id(one) for one in programs if not (share and one.fork_safety.may_share) or _has_script(one)}
    safe = [one for one in programs if id(one) not in alone]
    size = min(MOST_SHARED, max(FEWEST_SHARED, -(-len(safe) // pieces)))
    shared = [Batch(safe[start : start + size], shared=True) for start in range(0, len(safe), size)]
    return shared + [Batch([one], shared=False) for one in programs if id(one) in alone]


def _has_script(program: Program) -> bool:
    return any(test.kind == SCRIPT for test in program.tests)
