"""The asynchronous client."""

from collections.abc import AsyncIterator, Sequence
from types import TracebackType
from typing import Unpack

import grpc

from ucoder.client.connection import Connection, ConnectionOptions, open_channel, typed_errors
from ucoder.client.requests import Options, Test, cluster_request, select_request
from ucoder.client.results import Answer, Row, Verdict, answer_of, verdict_of
from ucoder.v1 import consensus_pb2, consensus_pb2_grpc


class AsyncClient:
    """The client of a ConsensusService for programs on an event loop: `Client`, with methods that are awaited.

    >>> import asyncio
    >>> from ucoder.client import AsyncClient
    >>> async def ask():
    ...     async with AsyncClient(address) as ucoder:
    ...         return await ucoder.select(["def f(x: int): return abs(x)", "def f(x: int): return x if x > 0 else -x"])
    >>> answer = asyncio.run(ask())
    >>> answer.verdict.selected, len(answer.tests)
    (0, 64)
    """

    def __init__(self, address: str, **options: Unpack[ConnectionOptions]) -> None:
        """Connects to `address`, host:port. `options` are the fields of `Connection`."""
        self._connection = Connection(address=address, **options)
        self._channel = open_channel(self._connection, grpc.aio)
        self._stub = consensus_pb2_grpc.ConsensusServiceStub(self._channel)

    async def __aenter__(self) -> "AsyncClient":
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Closes the connection. Calls that have not ended raise Retry."""
        await self._channel.close()

    async def select(self, programs: Sequence[str], tests: Sequence[Test] = (), **options: Unpack[Options]) -> Answer:
        """Does what `Client.select` does."""
        request = select_request(programs, tests, options)
        with typed_errors():
            answer = await self._stub.Select(request, **self._connection.call)
        return answer_of(answer, programs)

    async def select_stream(
        self, programs: Sequence[str], tests: Sequence[Test] = (), **options: Unpack[Options]
    ) -> AsyncIterator[Answer]:
        """Yields what `Client.select_stream` yields."""
        request = consensus_pb2.SelectStreamRequest(select=select_request(programs, tests, options))
        call = self._stub.SelectStream(request, **self._connection.call)
        try:
            with typed_errors():
                async for message in call:
                    yield answer_of(message.answer, programs, message.final)
        finally:
            call.cancel()

    async def cluster(
        self, rows: Sequence[Row], tests: Sequence[Test], *, programs: Sequence[str] = (), **options: Unpack[Options]
    ) -> Verdict:
        """Does what `Client.cluster` does."""
        request = cluster_request(rows, tests, programs, options)
        with typed_errors():
            answer = await self._stub.Cluster(request, **self._connection.call)
        return verdict_of(answer.verdict)
