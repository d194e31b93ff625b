"""Tests of the kind `none`: programs run without isolation, each in a process with limits."""

from ucoder.core.outcomes import Outcome
from ucoder.core.test_plans import Test
from ucoder.sandbox_runner.sandbox import Sandbox
from ucoder.sandbox_runner.sandbox_job import SandboxJob


async def test_programs_run_without_isolation() -> None:
    job = SandboxJob(("def f(x): return x + 1", "def f(x): return x"), (Test("assert f(1) == 2"),), "f")
    async with Sandbox.open(isolation="none", cells=1) as sandbox:
        rows = {row.program: row.outcomes async for row in sandbox.execute(job)}
    assert rows == {0: (Outcome.PASSED,), 1: (Outcome.FAILED,)}
