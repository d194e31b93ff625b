"""Programs under way in a sandbox: their rows so far, a look at them now and then, and the end when it is time."""

import asyncio
import contextlib
from collections import Counter
from collections.abc import AsyncIterable, AsyncIterator
from typing import Any

from ucoder.v1 import artifacts_pb2 as pb
from ucoder.v1 import sandbox_pb2, sandbox_pb2_grpc


class Execution:
    """One call to the sandbox. Rows of equal programs come together, in the order in which programs finish."""

    def __init__(self, call: AsyncIterable[sandbox_pb2.ExecuteResponse], order: list[int]) -> None:
        self.rows: list[pb.Row] = []
        self._reading = asyncio.create_task(self._read(call, order))

    @classmethod
    @contextlib.asynccontextmanager
    async def start(
        cls, sandbox: sandbox_pb2_grpc.SandboxServiceStub, request: sandbox_pb2.ExecuteRequest
    ) -> AsyncIterator["Execution"]:
        """Executes for as long as the block runs; what is unfinished at its end is cancelled.

        Programs that were written most often go first: an answer that cannot change any more is found sooner.
        """
        written = Counter(request.programs)
        order = sorted(range(len(request.programs)), key=lambda index: -written[request.programs[index]])
        sorted_programs = [request.programs[index] for index in order]
        del request.programs[:]
        request.programs.extend(sorted_programs)
        call: Any = sandbox.Execute(request)
        execution = cls(call, order)
        try:
            yield execution
        finally:
            call.cancel()
            execution._reading.cancel()
            await asyncio.gather(execution._reading, return_exceptions=True)

    async def wait(self, seconds: float | None) -> bool:
        """Waits so long, or until all have finished; whether they have. Raises what the sandbox answered instead."""
        done, _ = await asyncio.wait({self._reading}, timeout=seconds)
        if done:
            self._reading.result()
        return bool(done)

    async def _read(self, call: AsyncIterable[sandbox_pb2.ExecuteResponse], order: list[int]) -> None:
        async for answer in call:
            answer.row.program = order[answer.row.program]
            self.rows.append(answer.row)
