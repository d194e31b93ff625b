"""A training for as long as its run wants it."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, TypeVar

import structlog

from ucoder.errors import NotFound, Retry, Unwanted
from ucoder.runtime.messaging.run_states import RunStates

T = TypeVar("T")
LOOK_SECONDS = 1.0
ENDED = ("failed", "cancelled")
log = structlog.get_logger()


async def unwanted(states: RunStates, run: str) -> str:
    """How a run ended that wants nothing more, in words; the empty text for any other.

    A bus that is away stops nothing, and neither does a run that nobody has begun.
    """
    with contextlib.suppress(Retry, NotFound):
        found = await states.get(run)
        if found.state in ENDED:
            return f"run {run} has {found.state}" if found.state == "failed" else f"run {run} was cancelled"
    return ""


async def watched(work: Coroutine[Any, Any, T], states: RunStates, run: str, tell: Callable[[], Awaitable[None]]) -> T:
    """What the work makes. It is cancelled, and Unwanted raised, within seconds once the run has ended without it.

    While it goes on, `tell` is called each second. The work is gone when this returns or raises, cancellation included.
    """
    task = asyncio.create_task(work)
    try:
        while True:
            await asyncio.wait([task], timeout=LOOK_SECONDS)
            if task.done():
                return task.result()
            if why := await unwanted(states, run):
                log.info("training.stopped", run=run, reason=why)
                raise Unwanted(f"{why}: its training was stopped.")
            await tell()
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
