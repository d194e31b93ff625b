"""Runs the loop once while faults happen, and measures how long each recovery takes."""

import asyncio
import contextlib
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.chaos.chaos_test_bed import ChaosTestBed, small_config
from tests.chaos.faults import FAULTS, Fault
from tests.chaos.run_outcome import RunOutcome, check_outcome
from tests.s3 import KEYS

RECOVERY_SECONDS = 120.0
"""A run that makes nothing for this long after a fault has not recovered."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChaosPlan:
    """One run and its faults."""

    briefs: int
    seed: int
    kind: str
    """The kind of store: file or s3."""
    faults: int = 0
    pause: float = 0
    """The longest pause before a fault, in seconds."""
    model_seconds: float = 0
    """How long the scripted model takes for each answer."""


@dataclass(frozen=True, slots=True)
class Recovery:
    """The time from the moment when a fault was over until the run made an artefact again."""

    fault: str
    seconds: float


@dataclass(frozen=True, slots=True)
class BrokenRun:
    """A finished run, the recoveries on its way, and the briefs that a fault made unreadable."""

    outcome: RunOutcome
    recoveries: list[Recovery]
    corrupted: set[str]


async def broken_run(folder: Path, plan: ChaosPlan, show: Callable[[Recovery], None] = lambda _: None) -> BrokenRun:
    """Runs a plan in a folder; calls `show` after each recovery. Raises AssertionError when the outcome is wrong.

    Every kind of fault happens once before any happens again.
    """
    recoveries = []
    with _s3_credentials():
        async with ChaosTestBed.open(folder, plan.seed, plan.kind, plan.model_seconds) as bed:
            await bed.begin(small_config(plan.briefs, plan.seed, folder))
            chosen: list[Fault] = []
            while len(chosen) < plan.faults:
                chosen += bed.random.sample(FAULTS[plan.kind], len(FAULTS[plan.kind]))
            for fault in chosen[: plan.faults]:
                await asyncio.sleep(plan.pause * bed.random.random())
                if not await bed.running():
                    break
                await fault(bed)
                recoveries.append(Recovery(fault.__name__, await _recovery_seconds(bed)))
                show(recoveries[-1])
            async with asyncio.timeout(60 + 2 * plan.briefs):
                while await bed.running():
                    await asyncio.sleep(0.3)
            return BrokenRun(await check_outcome(bed, plan.briefs), recoveries, bed.corrupted)


async def _recovery_seconds(bed: ChaosTestBed) -> float:
    """Returns the seconds until the run made an artefact, or ended."""
    started, before = time.monotonic(), await bed.count_made()
    async with asyncio.timeout(RECOVERY_SECONDS):
        while await bed.count_made() <= before and await bed.running():
            await asyncio.sleep(0.05)
    return time.monotonic() - started


@contextlib.contextmanager
def _s3_credentials() -> Iterator[None]:
    """Puts the credentials of the S3 server into the environment, where its clients look for them."""
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
