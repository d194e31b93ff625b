"""One run under faults, and how long each recovery took. `python -m tests.chaos FAULTS [SEED]` shows it."""

import asyncio
import contextlib
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.chaos.books import Books, balance
from tests.chaos.faults import FAULTS, Fault
from tests.chaos.ground import Ground, small_config
from tests.s3 import KEYS

RECOVERY_SECONDS = 120.0


@dataclass(frozen=True, slots=True)
class Recovery:
    """From the moment a fault was put right until the run made something again."""

    fault: str
    seconds: float


async def broken_run(
    folder: Path, *, briefs: int, seed: int, kind: str, faults: int, pause: float, model_seconds: float,
    tell: Callable[[Recovery], None] = lambda one: None,
) -> tuple[Books, list[Recovery], set[str]]:  # fmt: skip
    """The books of a run with so many faults, the recoveries, and the briefs that were made unreadable.

    Every kind of fault comes once before any comes again. AssertionError when the books do not balance.
    """
    recoveries = []
    with _keys():
        async with Ground.open(folder, seed, kind, model_seconds) as ground:
            await ground.begin(small_config(briefs, seed, folder))
            chosen: list[Fault] = []
            while len(chosen) < faults:
                chosen += ground.random.sample(FAULTS[kind], len(FAULTS[kind]))
            for fault in chosen[:faults]:
                await asyncio.sleep(pause * ground.random.random())
                if not await ground.running():
                    break
                await fault(ground)
                recoveries.append(Recovery(fault.__name__, await _recovered(ground)))
                tell(recoveries[-1])
            async with asyncio.timeout(60 + 2 * briefs):
                while await ground.running():
                    await asyncio.sleep(0.3)
            return await balance(ground, briefs), recoveries, ground.corrupted


async def _recovered(ground: Ground) -> float:
    """Seconds until something was made, or the run ended."""
    started, before = time.monotonic(), await ground.made()
    async with asyncio.timeout(RECOVERY_SECONDS):
        while await ground.made() <= before and await ground.running():
            await asyncio.sleep(0.05)
    return time.monotonic() - started


@contextlib.contextmanager
def _keys() -> Iterator[None]:
    """The S3 server's credentials, where its clients look for them."""
    before = {name: os.environ.get(name) for name in KEYS}
    os.environ.update(KEYS)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
