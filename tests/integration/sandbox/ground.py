"""What the tests of the sandbox share: how they ask, and what they read."""

from ucoder.core.test_plans import Test
from ucoder.sandbox_runner.host.sandbox import Sandbox
from ucoder.sandbox_runner.sandbox_job import ProgramResult, SandboxJob


async def rows(sandbox: Sandbox, job: SandboxJob) -> list[ProgramResult]:
    """All rows, in the order of the programs."""
    found = [row async for row in sandbox.execute(job)]
    return sorted(found, key=lambda row: row.program)


def asks(*codes: str) -> tuple[Test, ...]:
    """Tests that are given once each."""
    return tuple(map(Test, codes))
