"""The order in which the tests of one job run, so that what a test expects never helps a program to pass it.

First, everything without expected values: calls, scripts, and for block tests the steps that their judge asks for. Then
the judge. Last, block tests beside the program, as plain Python runs them. Of a program that could pass a message to a
later process, the last part waits until every such program of the job has done the first. A program that cannot forge
(`core/forgery`) needs no judge, and no order: it runs block tests at once.
"""

import asyncio
from collections.abc import Callable

from ucoder.core import forgery, fork_safety
from ucoder.core.fork_safety import ForkSafety
from ucoder.core.test_plans import BlockPlan, CallPlan, Plan
from ucoder.sandbox_runner.guest.cell_protocol import PLAIN, CellTest
from ucoder.sandbox_runner.host.cell import CellResult
from ucoder.sandbox_runner.host.program import Program
from ucoder.sandbox_runner.judging.block_tests import BlockTests, RunPrograms
from ucoder.sandbox_runner.judging.comparison import ResultComparison, cell_test
from ucoder.sandbox_runner.sandbox_job import ProgramResult, SandboxJob


class JobTests:
    """The tests of one job."""

    def __init__(self, plans: list[Plan], job: SandboxJob, run_programs: RunPrograms) -> None:
        self._plans, self._run_programs = plans, run_programs
        self._codes = [
            plan.source if isinstance(plan, BlockPlan) else test.code
            for plan, test in zip(plans, job.tests, strict=True)
        ]
        self._judge = BlockTests(plans, job.entry_point, run_programs)
        self._compared = ResultComparison(plans)
        self._blocks = [number for number, plan in enumerate(plans) if isinstance(plan, BlockPlan)]
        calls = {number: plan for number, plan in enumerate(plans) if isinstance(plan, CallPlan)}
        self._safe_calls = {number: fork_safety.call_is_fork_safe(plan.call) for number, plan in calls.items()}
        self._safe_blocks = {n for n in self._blocks if fork_safety.check_program(self._codes[n]).may_share}
        self._no_means: dict[int, bool] = {}
        """By program key, whether the program has no means to forge."""
        self._believed: dict[int, frozenset[int]] = {}
        """By program key, the block tests that it cannot forge."""
        self._unjudged = 0
        """How many programs with means have not done everything without expected values."""
        self._all_judged = asyncio.Event()
        self._absent: Callable[[str], bool] = lambda module: False

    async def programs(
        self, sources: list[str], safety: list[ForkSafety], absent: Callable[[str], bool]
    ) -> list[Program]:
        """Returns the programs, each with the tests that it runs on first. absent: knows modules that are not there."""
        share = all(self._safe_calls.values())
        self._absent = absent
        for key, source in enumerate(sources):
            self._believed[key] = frozenset(n for n in self._blocks if self._cannot_forge(key, source, n))
        self._unjudged = len(sources) - sum(self._no_means.values())
        everywhere = frozenset.intersection(*self._believed.values()) if sources else frozenset()
        await self._judge.find_steps(set(self._blocks) - everywhere)
        first = {believed: self._first_tests(believed) for believed in set(self._believed.values())}
        programs = []
        for key, source in enumerate(sources):
            tests, places = first[self._believed[key]]
            programs.append(Program(key, source, safety[key] if share else fork_safety.OWN_FORK, tests, places))
        return programs

    async def finish(self, programs: list[Program]) -> None:
        """Lets the judge judge programs that have run on their first tests, then runs what must come last."""
        with_means = [one for one in programs if not self._no_means.get(one.key, False)]
        judged = {n: [one for one in programs if n not in self._believed[one.key]] for n in self._blocks}
        await self._judge.judge({number: some for number, some in judged.items() if some})
        self._unjudged -= len(with_means)
        if not self._unjudged:
            self._all_judged.set()
        await asyncio.gather(
            self._run_beside([one for one in programs if one not in with_means]), self._run_last(with_means)
        )

    def result(self, program: Program) -> ProgramResult:
        """Returns the result of a finished program."""
        believed = self._believed[program.key]
        calls = (number for number in program.beside if number in self._safe_calls)
        return self._compared.result(
            program, believed | {n for n in calls if self._cannot_forge(program.key, program.source, n)}
        )

    def _cannot_forge(self, key: int, source: str, number: int) -> bool:
        if key not in self._no_means:
            self._no_means[key] = forgery.has_no_means(source, self._absent)
        return self._no_means[key] and forgery.leaves_names_alone(source, self._codes[number])

    def _first_tests(self, believed: frozenset[int]) -> tuple[list[CellTest], dict[int, int]]:
        """Returns the tests that programs run on first, and the place of each.

        A call that could change the program's process comes last, so that it changes no other test's result.
        """
        tests: dict[int, CellTest | None] = {number: cell_test(plan) for number, plan in enumerate(self._plans)}
        for number in self._blocks:
            if number not in believed:
                tests[number] = self._judge.cell_test(number)
            elif number in self._safe_blocks:
                tests[number] = CellTest(PLAIN, self._codes[number])
        order = sorted((n for n, test in tests.items() if test), key=lambda n: not self._safe_calls.get(n, True))
        return [test for n in order if (test := tests[n])], {n: at for at, n in enumerate(order)}

    async def _run_last(self, programs: list[Program]) -> None:
        waiting = [one for one in programs if self._last_tests(one)]
        if waiting:
            await self._all_judged.wait()
            await self._run_beside(waiting)

    async def _run_beside(self, programs: list[Program]) -> None:
        """Runs block tests, and calls whose results did not cross as they are, beside programs that run alone."""
        waiting = [(program, self._last_tests(program)) for program in programs]
        groups: dict[tuple[int, ...], list[CellTest]] = {}
        runs: list[tuple[Program, list[int], Program]] = []
        for program, numbers in waiting:
            if numbers:
                tests = groups.setdefault(tuple(numbers), [CellTest(PLAIN, self._codes[number]) for number in numbers])
                runs.append((program, numbers, Program(len(runs), program.source, fork_safety.OWN_FORK, tests)))
        if not runs:
            return
        await self._run_programs([beside for _, _, beside in runs])
        for program, numbers, beside in runs:
            for number, result in zip(numbers, beside.results, strict=True):
                program.beside[number] = result or CellResult("crashed", "", 0.0)

    def _last_tests(self, program: Program) -> list[int]:
        """Returns the numbers of the tests that run beside a program after everything else."""
        believed = self._believed[program.key]
        blocks = [n for n in self._blocks if n not in believed or n not in self._safe_blocks]
        return blocks + [n for n in self._safe_calls if self._compared.needs_plain_run(n, program)]
