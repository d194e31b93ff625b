"""What one cell costs: starting it, having a trivial program run on a warm one, its memory, and code that computes."""

import asyncio
import os
import statistics
import subprocess
import sys
import time

from ucoder.bench.runners import WORKERS
from ucoder.core.test_plans import Test
from ucoder.sandbox_runner.host.sandbox import Sandbox
from ucoder.sandbox_runner.sandbox_job import Limits, SandboxJob

CLAIMS, TIMES = 200, 5
IDLE = 0.1
"""Seconds between claims: a cell is warm once it has made the fork for its next job."""
SETTLED = 2.0
"""Seconds after the last claim at which an idle cell's memory is read."""
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
    """Milliseconds: cold start of a sandbox, and one trivial program on an idle warm cell, from call to row. Memory of
    an idle cell in MB, alone and where two share the runtime's pages. How many times longer code that only computes
    takes inside than here."""
    started = time.perf_counter()
    async with Sandbox.open(isolation=isolation, cells=1, cache=0) as sandbox:
        cold = time.perf_counter() - started
        took = []
        for number in range(CLAIMS):
            await asyncio.sleep(IDLE)
            begun = time.perf_counter()
            await _ask(sandbox, f"def f(): return {number}", "f()")
            took.append(1000 * (time.perf_counter() - begun))
        await asyncio.sleep(SETTLED)
        alone = sandbox.pool.memory_mb()
        inside, outside = [], []
        for _ in range(TIMES):
            inside.append(float(await _ask(sandbox, COMPUTING, "f(300000)")))
            outside.append(_here())
    async with Sandbox.open(isolation=isolation, cells=WORKERS, cache=0) as sandbox:
        for number in range(CLAIMS):
            await _ask(sandbox, f"def f(): return {number}", "f()")
        await asyncio.sleep(SETTLED)
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


async def _ask(sandbox: Sandbox, program: str, call: str) -> str:
    job = SandboxJob((program,), (Test(call),), "f", limits=Limits(cpu_seconds=10, wall_seconds=60))
    [row] = [row async for row in sandbox.execute(job)]
    return str(row.outputs[0])


def _here() -> float:
    command = [sys.executable, "-I", "-S", "-c", f"{COMPUTING}\nprint(f(300000))"]
    return float(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
