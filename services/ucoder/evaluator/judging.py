"""Right or wrong, by the sandbox: what a program returned on hidden inputs, and whether all of it is right."""

from collections.abc import AsyncIterable, Callable, Sequence
from dataclasses import dataclass

from ucoder.evaluator.benchmarks import Task
from ucoder.v1 import artifacts_pb2 as pb
from ucoder.v1 import config_pb2, sandbox_pb2


@dataclass(frozen=True, slots=True)
class Judged:
    """One program on all tests of a task. `behaviour` is equal for programs that answered alike."""

    right: bool
    behaviour: tuple[str, ...]


Execute = Callable[[sandbox_pb2.ExecuteRequest], AsyncIterable[sandbox_pb2.ExecuteResponse]]


class Judge:
    """Asks a SandboxService: the `Execute` of a stub, or of a service in this process."""

    def __init__(self, execute: Execute, limits: config_pb2.ExecutionConfig | None = None) -> None:
        self._execute, self._limits = execute, limits

    async def judge(self, task: Task, programs: Sequence[str]) -> list[Judged]:
        """Judges programs by the task's own tests, in the order given. Equal programs cost one execution."""
        rows = await self.execute(
            programs,
            [
                pb.TestCase(code=test.code, stdin=test.stdin, expected_stdout=test.expected_stdout)
                for test in task.tests
            ],
            task.entry_point,
            compat=task.compat,
        )
        passed = {pb.OUTCOME_PASSED}
        return [Judged(set(row.outcomes) == passed, _behaviour(row)) for row in rows]

    async def execute(
        self, programs: Sequence[str], tests: Sequence[pb.TestCase], entry_point: str, *, compat: bool = False
    ) -> list[pb.Row]:
        """The rows of programs on tests, in the order of the programs."""
        if not programs:
            return []
        request = sandbox_pb2.ExecuteRequest(
            programs=programs, tests=tests, entry_point=entry_point, compat=compat, limits=self._limits
        )
        rows = [answer.row async for answer in self._execute(request)]
        return sorted(rows, key=lambda row: row.program)


def _behaviour(row: pb.Row) -> tuple[str, ...]:
    return tuple(output or pb.Outcome.Name(outcome) for output, outcome in zip(row.outputs, row.outcomes, strict=True))
