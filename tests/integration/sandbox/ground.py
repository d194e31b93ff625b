"""What the tests of the sandbox share: how they ask, and what they read."""

from ucoder.core.test_cases import TestCase
from ucoder.sandbox_runner.job import Job, Row
from ucoder.sandbox_runner.sandbox import Sandbox


async def rows(sandbox: Sandbox, job: Job) -> list[Row]:
    """All rows, in the order of the programs."""
    found = [row async for row in sandbox.execute(job)]
    return sorted(found, key=lambda row: row.program)


def asks(*codes: str) -> tuple[TestCase, ...]:
    """Tests that are given once each."""
    return tuple(map(TestCase, codes))
