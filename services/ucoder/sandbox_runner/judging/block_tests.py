"""The judge of block tests: tests that are more than one call, and decide for themselves whether a program passes.

They run beside the program; where the program could forge a pass, the judge must agree. It judges in rounds between a
judge that never meets the program and programs that never meet the judge. A judge runs the test alone to find the steps
that it makes; the programs do these steps; the judge runs the test on each distinct transcript and gives its verdict,
or asks for the steps that it still lacks. Judge and programs take turns in cells, each in a fork of its own, so an
expected value and a program are never inside a cell at the same time.
"""

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from ucoder.core import fork_safety
from ucoder.core.outcomes import Outcome
from ucoder.core.test_plans import BlockPlan, Plan
from ucoder.sandbox_runner.guest import cell_protocol as protocol
from ucoder.sandbox_runner.guest.block_tests.replay import RAISED, VALUE, Answer, Step, resolved
from ucoder.sandbox_runner.guest.cell_protocol import CellTest
from ucoder.sandbox_runner.host.cell import CellResult
from ucoder.sandbox_runner.host.program import Program
from ucoder.sandbox_runner.outcome_table import OUTCOME_OF

MOST_ROUNDS = 12
"""After this many rounds a test is given up as unsupported; nearly every test takes one."""
_NO_ANSWERS = "[]"
"""The transcript of a program that was not asked yet."""

Steps = list[Step]
RunPrograms = Callable[[list[Program]], Awaitable[None]]
"""Runs programs on their tests, and leaves the results in the programs."""


@dataclass(eq=False, slots=True)
class BlockTest:
    """One block test: the steps that it is expected to make, and the judge's reply to each transcript so far."""

    source: str
    entry_point: str
    steps: Steps = field(default_factory=list)
    replies: dict[str, CellResult] = field(default_factory=dict)

    def payload(self, transcript: str) -> str:
        """Returns what the judge is given."""
        return json.dumps(
            {"source": self.source, "entry_point": self.entry_point, "transcript": json.loads(transcript)}
        )


@dataclass(eq=False, slots=True)
class _Case:
    """One program before the judge of one test."""

    program: Program
    steps: Steps
    result: CellResult
    transcript: str = _NO_ANSWERS

    def died_at_next_step(self, needed: Steps) -> bool:
        """Returns whether the judge needs the very step at which the program ended."""
        answers = [answer for _, answer in json.loads(self.transcript)]
        at = len(answers)
        if self.result.status == protocol.OK or at >= len(self.steps) or at >= len(needed):
            return False
        return resolved(self.steps[at], answers) == needed[at]

    @property
    def outcome_without_verdict(self) -> Outcome:
        """The outcome where the program gave no answers that a judge could read."""
        return Outcome.CRASHED if self.result.status == protocol.OK else OUTCOME_OF[self.result.status]


class BlockTests:
    """The block tests of one job."""

    def __init__(self, plans: list[Plan], entry_point: str, run_programs: RunPrograms) -> None:
        self._tests = {
            number: BlockTest(plan.source, entry_point)
            for number, plan in enumerate(plans)
            if isinstance(plan, BlockPlan)
        }
        self._run_programs = run_programs

    async def find_steps(self, numbers: set[int]) -> None:
        """Finds out which steps these tests make."""
        await self._ask_judge([(self._tests[number], _NO_ANSWERS) for number in numbers])
        for number in numbers:
            test = self._tests[number]
            reply = test.replies[_NO_ANSWERS]
            if reply.status == protocol.NEEDS_STEPS:
                test.steps = read_steps(reply.text)

    def cell_test(self, number: int) -> CellTest | None:
        """Returns the steps of a test as a cell reads them; None where there are none."""
        test = self._tests[number]
        return CellTest(protocol.STEPS, json.dumps(test.steps)) if test.steps else None

    async def judge(self, programs: dict[int, list[Program]]) -> None:
        """Gives programs, by test number, their verdicts."""
        await asyncio.gather(*(self._judge_test(number, some) for number, some in programs.items()))

    async def _judge_test(self, number: int, programs: list[Program]) -> None:
        test = self._tests[number]
        if not test.steps:  # the test asks nothing of the program
            for program in programs:
                program.verdicts[number] = _verdict(test.replies[_NO_ANSWERS])
            return
        results = [program.results[program.places[number]] for program in programs]
        cases = [_Case(one, test.steps, result) for one, result in zip(programs, results, strict=True) if result]
        for _ in range(MOST_ROUNDS):
            for case in cases:
                case.transcript = transcript(case.steps, case.result)
            await self._ask_judge([(test, case.transcript) for case in cases if case.transcript])
            unfinished: dict[str, list[_Case]] = {}
            for case in cases:
                reply = test.replies[case.transcript] if case.transcript else None
                needed = read_steps(reply.text) if reply and reply.status == protocol.NEEDS_STEPS else []
                if needed and not case.died_at_next_step(needed):
                    unfinished.setdefault(json.dumps(needed), []).append(case)
                elif reply and not needed:
                    case.program.verdicts[number] = _verdict(reply)
                else:
                    case.program.verdicts[number] = case.outcome_without_verdict
            if not unfinished:
                return
            cases = [case for group in unfinished.values() for case in group]
            await asyncio.gather(*(self._run_steps(steps, group) for steps, group in unfinished.items()))
        for case in cases:
            case.program.verdicts[number] = Outcome.UNSUPPORTED

    async def _run_steps(self, steps: str, cases: list[_Case]) -> None:
        """Runs the steps that a judge lacks on each program."""
        tests = [CellTest(protocol.STEPS, steps)]
        programs = [
            Program(key, case.program.source, case.program.fork_safety, tests) for key, case in enumerate(cases)
        ]
        await self._run_programs(programs)
        for case, program in zip(cases, programs, strict=True):
            case.steps = read_steps(steps)
            if program.results[0]:
                case.result = program.results[0]

    async def _ask_judge(self, questions: list[tuple[BlockTest, str]]) -> None:
        """Fills `replies` for every transcript that no judge has seen yet."""
        new = list(dict.fromkeys((test, text) for test, text in questions if text not in test.replies))
        if not new:
            return
        tests = [CellTest(protocol.JUDGE, "")]
        judges = [
            Program(key, test.payload(text), fork_safety.check_program(test.source), tests)
            for key, (test, text) in enumerate(new)
        ]
        await self._run_programs(judges)
        for (test, text), judge in zip(new, judges, strict=True):
            test.replies[text] = judge.results[0] or CellResult(Outcome.INFRA_ERROR, "", 0.0)


def transcript(steps: Steps, result: CellResult) -> str:
    """Returns the steps with the program's answers, as the judge reads them; empty when there are no answers."""
    if result.status not in (protocol.OK, protocol.TIMEOUT_CPU, protocol.OUT_OF_MEMORY, protocol.OUTPUT_LIMIT):
        return ""
    try:
        answers = json.loads(result.text)
        answered = [[step, _checked_answer(answer)] for step, answer in zip(steps, answers, strict=False)]
    except (ValueError, TypeError, RecursionError):
        return ""
    return json.dumps(answered)


def _checked_answer(answer: Any) -> Answer:
    """Returns an answer of the right form; raises ValueError or TypeError for anything else."""
    kind, *rest = answer
    if kind == VALUE:
        text, changes = rest
        if isinstance(text, str) and all(isinstance(change, str) for change in changes.values()):
            return [kind, text, dict(changes)]
    if kind == RAISED:
        name, message, bases, module, arguments = rest
        if all(isinstance(part, str) for part in (name, message, *bases, module, arguments)):
            return [kind, name[:100], message, list(bases), module, arguments]
    raise ValueError("not an answer")


def read_steps(text: str) -> Steps:
    """Returns the steps that a judge lists; none when they are not well-formed."""
    try:
        steps = json.loads(text)
        if all(len(step) == 5 and all(isinstance(part, str) for part in step) for step in steps):
            return [list(step) for step in steps]
    except (ValueError, TypeError, RecursionError):
        pass
    return []


def _verdict(reply: CellResult) -> Outcome:
    """Returns the outcome that a judge's reply means. A judge that crashed, ran out of time or gave up is the fault of
    the test, not of the program.
    """
    if reply.status in (protocol.PASSED, protocol.FAILED, protocol.EXCEPTION, Outcome.INFRA_ERROR):
        return OUTCOME_OF[reply.status]
    return Outcome.UNSUPPORTED
