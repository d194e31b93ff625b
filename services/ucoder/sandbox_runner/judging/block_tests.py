"""Tests that decide for themselves: rounds between a judge that never meets the program and programs that never meet
the judge.

A judge scouts the test for the steps it makes; the programs do them; the judge runs the test on each distinct
transcript and gives its verdict, or asks for the steps it still lacks. Judge and programs take turns in cells, one
fork each, so that an expected value and a program are never inside a cell at the same time.
"""

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from ucoder.core import fork_safety
from ucoder.core.outcomes import Outcome
from ucoder.core.test_plans import BlockPlan, Plan
from ucoder.sandbox_runner.guest.block_replay import resolved
from ucoder.sandbox_runner.host.batch import Program
from ucoder.sandbox_runner.host.cell import CellResult
from ucoder.sandbox_runner.judging.comparison import OUTCOMES

ROUNDS = 120
"""After this many rounds a test is given up as unsupported; nearly every test takes one."""

Steps = list[list[str]]
Play = Callable[[list[Program], list[list[str]]], Awaitable[None]]


@dataclass(eq=False, slots=True)
class BlockTest:
    """One such test: the steps it is expected to make, and the judge's word on each transcript so far."""

    source: str
    entry_point: str
    steps: Steps = field(default_factory=list)
    known: dict[str, CellResult] = field(default_factory=dict)

    def payload(self, transcript: str) -> str:
        """What the judge is given."""
        return json.dumps(
            {"source": self.source, "entry_point": self.entry_point, "transcript": json.loads(transcript)}
        )


@dataclass(eq=False, slots=True)
class _Case:
    """One program before one judge."""

    program: Program
    steps: Steps
    result: CellResult
    transcript: str = "[]"


class BlockTests:
    """The tests of one job that decide for themselves. `play` runs programs on tests and leaves the results in them."""

    def __init__(self, plans: list[Plan], entry_point: str, play: Play) -> None:
        self._trials = {
            number: BlockTest(plan.source, entry_point)
            for number, plan in enumerate(plans)
            if isinstance(plan, BlockPlan)
        }
        self._play = play

    async def scout(self) -> None:
        """Finds out which steps each test makes."""
        await self._judge([(trial, "[]") for trial in self._trials.values()])
        for trial in self._trials.values():
            word = trial.known["[]"]
            if word.status == "steps":
                trial.steps = read_steps(word.text)

    def frame(self, number: int) -> list[str] | None:
        """The steps of a test as a cell reads them; None where there are none."""
        trial = self._trials.get(number)
        return ["steps", json.dumps(trial.steps)] if trial and trial.steps else None

    async def settle(self, programs: list[Program], positions: dict[int, int]) -> list[Program]:
        """Gives every program its verdicts; returns the programs."""
        if self._trials:
            await asyncio.gather(*(self._settle(number, programs, positions.get(number)) for number in self._trials))
        return programs

    async def _settle(self, number: int, programs: list[Program], position: int | None) -> None:
        trial = self._trials[number]
        if position is None:  # the test asks nothing of the program
            for program in programs:
                program.verdicts[number] = _judged(trial.known["[]"])
            return
        results = [program.results[position] for program in programs]
        cases = [_Case(one, trial.steps, result) for one, result in zip(programs, results, strict=True) if result]
        for _ in range(ROUNDS):
            for case in cases:
                case.transcript = transcript(case.steps, case.result)
            await self._judge([(trial, case.transcript) for case in cases if case.transcript])
            again: dict[str, list[_Case]] = {}
            for case in cases:
                word = trial.known[case.transcript] if case.transcript else None
                needed = read_steps(word.text) if word and word.status == "steps" else []
                if needed and not _fatal(case, needed):
                    again.setdefault(json.dumps(needed), []).append(case)
                elif word and not needed:
                    case.program.verdicts[number] = _judged(word)
                else:
                    case.program.verdicts[number] = OUTCOMES.get(case.result.status, Outcome.CRASHED)
            if not again:
                return
            cases = [case for group in again.values() for case in group]
            await asyncio.gather(*(self._more(steps, group) for steps, group in again.items()))
        for case in cases:
            case.program.verdicts[number] = Outcome.UNSUPPORTED

    async def _more(self, steps: str, cases: list[_Case]) -> None:
        """Runs the steps that a judge lacks."""
        programs = [Program(key, case.program.source, case.program.nature, [None]) for key, case in enumerate(cases)]
        await self._play(programs, [["steps", steps]])
        for case, program in zip(cases, programs, strict=True):
            case.steps = read_steps(steps)
            if program.results[0]:
                case.result = program.results[0]

    async def _judge(self, asked: list[tuple[BlockTest, str]]) -> None:
        """Fills `known` for every transcript that no judge has seen yet."""
        new = list(dict.fromkeys((trial, text) for trial, text in asked if text not in trial.known))
        if not new:
            return
        judges = [
            Program(key, trial.payload(text), fork_safety.check_program(trial.source), [None])
            for key, (trial, text) in enumerate(new)
        ]
        await self._play(judges, [["judge", ""]])
        for (trial, text), judge in zip(new, judges, strict=True):
            trial.known[text] = judge.results[0] or CellResult("infra_error", "", 0.0)


def transcript(steps: Steps, result: CellResult) -> str:
    """What the program answered, step by step, as the judge reads it; empty when it never came to answer."""
    if result.status not in ("ok", "timeout_cpu", "out_of_memory", "output_limit"):
        return ""
    try:
        answers = json.loads(result.text)
        known = [[step, _answer(answer)] for step, answer in zip(steps, answers, strict=False)]
    except (ValueError, TypeError, RecursionError):
        return ""
    return json.dumps(known)


def _answer(said: Any) -> list[Any]:
    """An answer as it must be; raises ValueError or TypeError for anything else."""
    kind, *rest = said
    if kind == "v":
        text, changes = rest
        if isinstance(text, str) and all(isinstance(change, str) for change in changes.values()):
            return [kind, text, dict(changes)]
    if kind == "x":
        name, message, bases = rest
        if isinstance(name, str) and isinstance(message, str) and all(isinstance(base, str) for base in bases):
            return [kind, name[:100], message, list(bases)]
    raise ValueError("not an answer")


def read_steps(text: str) -> Steps:
    """Steps as a judge lists them; none when they are not well-formed."""
    try:
        steps = json.loads(text)
        if all(len(step) == 5 and all(isinstance(part, str) for part in step) for step in steps):
            return [list(step) for step in steps]
    except (ValueError, TypeError, RecursionError):
        pass
    return []


def _fatal(case: _Case, needed: Steps) -> bool:
    """The judge asks for the very step at which the program ended."""
    answered = [answer for _, answer in json.loads(case.transcript)]
    at = len(answered)
    if case.result.status == "ok" or at >= len(case.steps) or at >= len(needed):
        return False
    return resolved(case.steps[at], answered) == needed[at]


def _judged(word: CellResult) -> Outcome:
    """What a judge's word means; one that crashed, ran out of time or gave up is the test's fault, not the
    program's."""
    if word.status in ("passed", "failed", "exception", "infra_error"):
        return OUTCOMES[word.status]
    return Outcome.UNSUPPORTED
