"""The calls of the protocols' paths to the sandbox: they retry transient failures for as long as the caller waits."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

from ucoder.errors import Overloaded, Retry
from ucoder.gateway.request_checks import Incoming
from ucoder.gateway.rest_calls import call_stream
from ucoder.runtime.peers import Peers
from ucoder.runtime.validation import validate
from ucoder.v1 import artifacts_pb2 as pb
from ucoder.v1 import sandbox_pb2

R = TypeVar("R")
PAUSE_SECONDS = 0.3
LONGEST_PAUSE_SECONDS = 3.0


class OutOfTime(Retry):
    """The platform had no answer within the time that the caller waits."""


class ProgramCalls:
    """Runs programs in the sandbox service for one group of paths."""

    def __init__(self, peers: Peers) -> None:
        self._peers = peers

    async def run(self, request: sandbox_pb2.RunRequest, incoming: Incoming, seconds: float) -> sandbox_pb2.RunResult:
        """Returns the result of a run. Raises OutOfTime when the platform has none in so many seconds."""

        async def once(left: float) -> sandbox_pb2.RunResult:
            [message] = [one async for one in call_stream(self._peers.sandbox.Run, request, incoming, left)]
            result: sandbox_pb2.RunResult = message.result
            return result

        validate(request)
        return await _retried(once, seconds)

    async def execute(self, request: sandbox_pb2.ExecuteRequest, incoming: Incoming, seconds: float) -> list[pb.Row]:
        """Returns one row for each program, in their order. A row with an infra error is no result: it is retried."""

        async def once(left: float) -> list[pb.Row]:
            rows = [one.row async for one in call_stream(self._peers.sandbox.Execute, request, incoming, left)]
            if len(rows) < len(request.programs) or any(pb.OUTCOME_INFRA_ERROR in row.outcomes for row in rows):
                raise Retry("the sandbox lost a program.")
            return sorted(rows, key=lambda row: row.program)

        validate(request)
        return await _retried(once, seconds)


async def _retried(once: Callable[[float], Awaitable[R]], seconds: float) -> R:
    """Awaits `once(seconds left)`, and again after a transient failure while there is time."""
    end = time.monotonic() + seconds
    pause = PAUSE_SECONDS
    while True:
        try:
            async with asyncio.timeout(max(0.0, end - time.monotonic())):
                return await once(max(0.05, end - time.monotonic()))
        except TimeoutError:
            raise OutOfTime(f"no result within {seconds:.0f} s: the sandbox is busy or away.") from None
        except Retry as error:
            if time.monotonic() + pause > end or (isinstance(error, Overloaded) and pause > 1):
                raise OutOfTime(str(error)) from None
        await asyncio.sleep(pause)
        pause = min(2 * pause, LONGEST_PAUSE_SECONDS)
