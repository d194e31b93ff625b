"""The calls to a sandbox that its tests share."""

from ucoder.core.test_plans import Test
from ucoder.sandbox_runner.sandbox import Sandbox
from ucoder.sandbox_runner.sandbox_job import ProgramResult, SandboxJob


async def results_of(sandbox: Sandbox, job: SandboxJob) -> list[ProgramResult]:
    """Returns all results of a job, in the order of its programs."""
    return sorted([result async for result in sandbox.execute(job)], key=lambda result: result.program)


def as_tests(*codes: str) -> tuple[Test, ...]:
    """Returns one test for each text."""
    return tuple(map(Test, codes))
