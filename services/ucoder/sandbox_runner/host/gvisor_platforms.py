"""The choice of gVisor's platform, its way to catch system calls: each is measured once, and the result is kept.

`systrap` runs on any Linux, `kvm` needs /dev/kvm, `ptrace` needs neither. All three are the same kernel behind the same
boundary. Which is the fastest depends on the machine, mostly on whether it is a virtual one.
"""

import asyncio
import json
import os
import time
from pathlib import Path

from ucoder.core import fork_safety
from ucoder.errors import Retry
from ucoder.sandbox_runner.guest.cell_protocol import CALL, CellTest
from ucoder.sandbox_runner.host.pool import Pool
from ucoder.sandbox_runner.host.program import PoolRun, Program
from ucoder.sandbox_runner.isolation import gvisor, root_filesystem
from ucoder.sandbox_runner.isolation.boundary import Root
from ucoder.sandbox_runner.isolation.choice import Boundary
from ucoder.sandbox_runner.sandbox_job import Limits

PLATFORMS = ("systrap", "kvm", "ptrace")
"""The first is the default, taken unless another is clearly faster."""
_CLEARLY_FASTER = 0.8
_MOST_SECONDS, _MOST_SECONDS_OF_DEFAULT = 6.0, 60.0
"""For starting cells and running the programs. Another platform that needs longer is useless here, and one that does
not run at all may hang; the default is taken however slow a loaded machine makes it.
"""
_SHARING, _ALONE, _TESTS = 120, 16, 20
"""Numbers of programs that share forks and that run alone, as in a model's samples, and of tests."""
_PROGRAM = "def f(x):\n    return x"
_FILE = "seconds.json"


async def on_fastest_platform(kind: Boundary, root: Root, folder: Path | None = None) -> Boundary:
    """Returns gVisor on this machine's fastest platform, and any other kind as it is.

    Reads the seconds from `folder` (default: the cache), or measures them and keeps them there.
    """
    if kind.name != gvisor.NAME:
        return kind
    place = (folder or root_filesystem.cache_folder()) / "platforms" / await asyncio.to_thread(_machine)
    if not (place / _FILE).is_file():
        measured = {PLATFORMS[0]: await measure_seconds(kind.on(PLATFORMS[0]), root, _MOST_SECONDS_OF_DEFAULT)}
        measured |= {name: await measure_seconds(kind.on(name), root) for name in PLATFORMS[1:]}
        seconds = {name: taken for name, taken in measured.items() if taken is not None}
        await asyncio.to_thread(
            root_filesystem.create_once, place, lambda draft: (draft / _FILE).write_text(json.dumps(seconds))
        )
    return kind.on(fastest(json.loads((place / _FILE).read_text())))


def fastest(seconds: dict[str, float]) -> str:
    """Returns the default platform, or one that took clearly less time."""
    default = PLATFORMS[0]
    best = min(seconds, key=lambda name: seconds[name], default=default)
    return best if seconds.get(best, 0.0) < _CLEARLY_FASTER * seconds.get(default, float("inf")) else default


async def measure_seconds(kind: Boundary, root: Root, most: float = _MOST_SECONDS) -> float | None:
    """Returns the seconds that warm cells, one per core, take for some programs; None if they cannot run them."""
    tests = [CellTest(CALL, f"f({number})") for number in range(_TESTS)]
    safeties = [fork_safety.check_program(_PROGRAM)] * _SHARING + [fork_safety.OWN_FORK] * _ALONE
    try:
        async with asyncio.timeout(most), Pool.open(kind, root, None) as pool:
            for _ in range(2):  # the first round warms the cells up
                started = time.perf_counter()
                run = PoolRun(Limits())
                programs = [Program(key, _PROGRAM, safety, tests) for key, safety in enumerate(safeties)]
                pool.submit(run, programs, share=True)
                left = len(programs)
                while left:
                    left -= len(await run.next_finished())
            seconds = time.perf_counter() - started
            last = [program.results[-1] for program in programs]
            return seconds if all(result and result.text == str(_TESTS - 1) for result in last) else None
    except (Retry, TimeoutError):
        return None


def _machine() -> str:
    """Returns the name under which the result is kept, made of all that it depends on."""
    return root_filesystem.digest(
        gvisor.version().encode(), " ".join(os.uname()[2:]).encode(), str(os.cpu_count()).encode()
    )
