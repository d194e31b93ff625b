"""Measures what one cell costs: its start, a trivial program on it, its memory, and how much slower code computes."""

import asyncio
import os
import statistics
import subprocess
import sys
import time

from ucoder.core.test_plans import Test
from ucoder.sandbox_runner.sandbox import Sandbox
from ucoder.sandbox_runner.sandbox_job import Limits, SandboxJob
from ucoder_development.speed_runners import WORKERS

PROGRAMS, REPEATS = 200, 5
PAUSE_SECONDS = 0.1
"""Between programs: a cell is warm once it has made the fork for its next job."""
SETTLE_SECONDS = 2.0
"""After the last program, before the memory of an idle cell is read."""
COMPUTING = """
def f(count):
    import time
    begun, total, seen = time.perf_counter(), 0, {}
    for number in range(count):
        total = (total * 31 + number) % 1000003
        seen[total % 97] = str(number)
    return time.perf_counter() - begun
"""


async def measure(isolation: str) -> dict[str, float]:
    """Returns milliseconds of the cold start of a sandbox and of one trivial program on an idle warm cell, from call to
    result; MB of an idle cell, alone and where two share the pages of their runtime; and how many times longer code
    that only computes takes in the sandbox than outside it.
    """
    started = time.perf_counter()
    async with Sandbox.open(isolation=isolation, cells=1, cache=0) as sandbox:
        cold = time.perf_counter() - started
        took = []
        for number in range(PROGRAMS):
            await asyncio.sleep(PAUSE_SECONDS)
            begin = time.perf_counter()
            await _run(sandbox, f"def f(): return {number}", "f()")
            took.append(1000 * (time.perf_counter() - begin))
        await asyncio.sleep(SETTLE_SECONDS)
        alone = sandbox.pool.memory_mb()
        inside, outside = [], []
        for _ in range(REPEATS):
            inside.append(float(await _run(sandbox, COMPUTING, "f(300000)")))
            outside.append(_seconds_outside())
    async with Sandbox.open(isolation=isolation, cells=WORKERS, cache=0) as sandbox:
        for number in range(PROGRAMS):
            await _run(sandbox, f"def f(): return {number}", "f()")
        await asyncio.sleep(SETTLE_SECONDS)
        beside = sandbox.pool.memory_mb()
    cuts = statistics.quantiles(took, n=100)
    return {
        "cold_start_ms": 1000 * cold,
        "warm_p50_ms": cuts[49],
        "warm_p99_ms": cuts[98],
        "idle_cell_mb": beside,
        "lone_idle_cell_mb": alone,
        "slowdown": min(inside) / min(outside),
        "load": os.getloadavg()[0],
    }


async def _run(sandbox: Sandbox, program: str, call: str) -> str:
    """Returns the output of one call in the sandbox."""
    job = SandboxJob((program,), (Test(call),), "f", limits=Limits(cpu_seconds=10, wall_seconds=60))
    [row] = [row async for row in sandbox.execute(job)]
    return str(row.outputs[0])


def _seconds_outside() -> float:
    """Returns how long the computing code takes in a Python of this machine."""
    command = [sys.executable, "-I", "-S", "-c", f"{COMPUTING}\nprint(f(300000))"]
    return float(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
