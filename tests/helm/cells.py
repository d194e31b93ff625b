"""Runs programs in a cell container through its socket, as the runner does."""

import asyncio
from pathlib import Path

from ucoder.core.fork_safety import ForkSafety
from ucoder.sandbox_runner.guest.cell_protocol import CALL, CellTest
from ucoder.sandbox_runner.host.batch import Batch
from ucoder.sandbox_runner.host.cell import Cell, CellResult
from ucoder.sandbox_runner.host.program import Program
from ucoder.sandbox_runner.isolation.boundary import Launch
from ucoder.sandbox_runner.isolation.pod import relay_command


async def call(
    address: Path, source: str, calls: list[str], jobs: int = 1, seed: int = 0, anywhere: bool = True
) -> list[CellResult | None]:
    """Returns the results of a program's calls in the cell behind a socket, run `jobs` times on one connection."""
    launch = Launch(relay_command(address, seed, anywhere=anywhere), lambda: None)
    cell = await Cell.start(launch)
    try:
        for number in range(jobs):
            program = Program(0, source, ForkSafety(False, False), [CellTest(CALL, one) for one in calls])
            batch = Batch([program], shared=False)
            async with asyncio.timeout(60):
                end = await cell.run(batch.job(number + 1), batch.reports.append)
            batch.finish(end)
    finally:
        await cell.close()
    return program.results
