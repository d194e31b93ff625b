"""The execution of a request's programs in the sandbox service: the rows that have arrived, and the wait for more."""

import asyncio
import contextlib
from collections import Counter
from collections.abc import AsyncIterable, AsyncIterator
from typing import Any

from ucoder.v1 import artifacts_pb2 as pb
from ucoder.v1 import sandbox_pb2, sandbox_pb2_grpc


class Execution:
    """One call to the sandbox service. Rows arrive in the order in which programs finish, equal programs together."""

    def __init__(self, call: AsyncIterable[sandbox_pb2.ExecuteResponse], order: list[int]) -> None:
        """`order[i]` is the caller's number of the i-th program in the call."""
        self.rows: list[pb.Row] = []
        self._reading = asyncio.create_task(self._read(call, order))

    @classmethod
    @contextlib.asynccontextmanager
    async def start(
        cls, sandbox: "sandbox_pb2_grpc.SandboxServiceAsyncStub", request: sandbox_pb2.ExecuteRequest
    ) -> AsyncIterator["Execution"]:
        """Yields the execution, and cancels at the end of the block what has not finished.

        Programs that were sampled most often run first, because an answer that cannot change is then found sooner.
        """
        sampled = Counter(request.programs)
        order = sorted(range(len(request.programs)), key=lambda index: -sampled[request.programs[index]])
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
        """Waits so long (None: without limit) and returns whether all programs have finished.

        Raises the error with which the sandbox service ended the call.
        """
        done, _ = await asyncio.wait({self._reading}, timeout=seconds)
        if done:
            self._reading.result()
        return bool(done)

    async def _read(self, call: AsyncIterable[sandbox_pb2.ExecuteResponse], order: list[int]) -> None:
        async for answer in call:
            answer.row.program = order[answer.row.program]
            self.rows.append(answer.row)
