"""A cell of each kind of isolation that works here, and attacks on it between two runs of a correct program."""

import itertools
import os
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from ucoder.core.outcomes import Outcome
from ucoder.core.test_plans import Test
from ucoder.sandbox_runner.isolation.choice import probe
from ucoder.sandbox_runner.sandbox import Sandbox
from ucoder.sandbox_runner.sandbox_job import Limits, ProgramResult, SandboxJob

MARKER = "canary-5f2b90c7"
"""A value in the environment while cells start; no program may ever see it."""
EXPECTED = 987654321987
"""The value that the tests expect of f(2); a program that returns it has read what it must not read."""
TESTS = (
    Test(f"assert f(2) == {EXPECTED}"),
    Test("assert f(1) == 1234567891011"),
    Test(f"def check(candidate):\n    assert candidate(2) == {EXPECTED}\ncheck(f)"),
)
CORRECT = """
# {}
import os
def f(x):
    open('mine', 'w').write('x')
    return x + 5
"""
_LIMITS = Limits(cpu_seconds=0.4, wall_seconds=1.5, memory_mb=256, processes=8, file_size_mb=4, output_kb=64)
_number = itertools.count()

USABLE = [name for name, usable, _ in probe() if usable and name != "none"]


class AttackedCell:
    """A sandbox with one cell, which attacks and correct programs share."""

    def __init__(self, sandbox: Sandbox) -> None:
        self._sandbox = sandbox

    async def run(self, program: str, tests: tuple[Test, ...] = TESTS, limits: Limits = _LIMITS) -> ProgramResult:
        """Returns the result of one program."""
        rows = [row async for row in self._sandbox.execute(SandboxJob((program,), tests, "f", limits=limits))]
        return rows[0]

    async def results(
        self, programs: list[str], tests: tuple[Test, ...], limits: Limits, **how: str
    ) -> list[ProgramResult]:
        """Returns the results of programs that may share a fork, in their order."""
        job = SandboxJob(tuple(programs), tests, "f", limits=limits, **how)  # type: ignore[arg-type]
        return sorted([row async for row in self._sandbox.execute(job)], key=lambda row: row.program)

    async def attack(self, program: str, tests: tuple[Test, ...] = TESTS, limits: Limits = _LIMITS) -> ProgramResult:
        """Returns the result of an attack, after checking that it passes nothing and a correct program still passes."""
        row = await self.run(f"{program}\n# {next(_number)}", tests, limits)
        assert Outcome.PASSED not in row.outcomes, row
        assert Outcome.INFRA_ERROR not in row.outcomes, row
        await self.check_unharmed()
        return row

    async def check_unharmed(self) -> None:
        """Checks that a correct program, alone in its fork, passes."""
        row = await self.run(CORRECT.format(next(_number)), (Test("assert f(1) == 6"), Test("assert f(2) == 7")))
        assert set(row.outcomes) == {Outcome.PASSED}, row

    async def text_from(self, body: str) -> str:
        """Returns the text of what a function with this body returns inside the cell."""
        program = f"import os, sys\ndef f(x):\n{body}\n# {next(_number)}"
        row = await self.attack(program, (Test("f(2)"),))
        return str(row.outputs[0])


@pytest_asyncio.fixture(scope="session", loop_scope="session", params=USABLE)
async def cell(request: pytest.FixtureRequest) -> AsyncIterator[AttackedCell]:
    """Yields the attacked cell of one kind of isolation."""
    os.environ["CANARY"] = MARKER
    try:
        async with Sandbox.open(isolation=request.param, cells=1) as sandbox:
            attacked = AttackedCell(sandbox)
            await attacked.check_unharmed()
            yield attacked
    finally:
        del os.environ["CANARY"]
