"""Which of gVisor's ways to catch system calls is the fastest here: each is tried once, and the answer is remembered.

`systrap` runs on any Linux, `kvm` needs /dev/kvm, `ptrace` needs neither. All three are the same kernel behind the same
boundary; how fast they are is the machine's, mostly whether it is a virtual one.
"""

import asyncio
import json
import os
import time
from pathlib import Path

from ucoder.core import fork_safety
from ucoder.errors import Retry
from ucoder.sandbox_runner.host.batch import Program
from ucoder.sandbox_runner.host.pool import Pool, PoolRun
from ucoder.sandbox_runner.isolation import gvisor, root_filesystem
from ucoder.sandbox_runner.isolation.boundary import Root
from ucoder.sandbox_runner.isolation.choice import Boundary
from ucoder.sandbox_runner.sandbox_job import Limits

PLATFORMS = ("systrap", "kvm", "ptrace")
"""The first is taken unless another is clearly faster."""
_CLEARLY = 0.8
_SECONDS = 6.0
"""For starting cells and running the trial; a platform that needs longer is no good here: one that does not run may
hang."""
_SHARING, _ALONE, _TESTS = 120, 16, 20
"""Programs, as models write them: most are tame."""
_PROGRAM = "def f(x):\n    return x"
_FILE = "seconds.json"


async def settle(kind: Boundary, root: Root, folder: Path | None = None) -> Boundary:
    """gVisor on this machine's fastest platform, as `folder` (default: the cache) remembers it or as a trial of a few
    seconds finds it; another kind as it is.
    """
    if kind.name != gvisor.NAME:
        return kind
    place = (folder or root_filesystem.cache_folder()) / "platforms" / await asyncio.to_thread(_machine)
    if not (place / _FILE).is_file():
        seconds = {name: taken for name in PLATFORMS if (taken := await trial(kind.on(name), root)) is not None}

        def write(draft: Path) -> None:
            (draft / _FILE).write_text(json.dumps(seconds))

        await asyncio.to_thread(root_filesystem.once, place, write)
    return kind.on(fastest(json.loads((place / _FILE).read_text())))


def fastest(seconds: dict[str, float]) -> str:
    """The default, or one that took clearly less time."""
    default = PLATFORMS[0]
    best = min(seconds, key=lambda name: seconds[name], default=default)
    return best if seconds.get(best, 0.0) < _CLEARLY * seconds.get(default, float("inf")) else default


async def trial(kind: Boundary, root: Root) -> float | None:
    """Seconds that warm cells, one per core, take for some programs; None if they cannot."""
    tests = [["call", f"f({number})"] for number in range(_TESTS)]
    natures = [fork_safety.nature(_PROGRAM)] * _SHARING + [fork_safety.ALONE] * _ALONE
    try:
        async with asyncio.timeout(_SECONDS), Pool.open(kind, root, None) as pool:
            for _ in range(2):  # the first round warms them up
                started = time.perf_counter()
                run = PoolRun(Limits(), tests)
                programs = [Program(key, _PROGRAM, nature, [None] * _TESTS) for key, nature in enumerate(natures)]
                pool.put(run, programs, share=True)
                left = len(programs)
                while left:
                    left -= len(await run.some())
            seconds = time.perf_counter() - started
            last = [one.results[-1] for one in programs]
            return seconds if all(result and result.text == str(_TESTS - 1) for result in last) else None
    except (Retry, TimeoutError):
        return None


def _machine() -> str:
    """What the answer depends on."""
    return root_filesystem.digest(
        gvisor.version().encode(), " ".join(os.uname()[2:]).encode(), str(os.cpu_count()).encode()
    )
