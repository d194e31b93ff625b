"""The client for programs on an event loop."""

from collections.abc import AsyncIterator, Sequence
from types import TracebackType
from typing import Any

import grpc

from ucoder.client.connection import Connection, fault
from ucoder.client.requests import Options, Test, cluster_request, select_request
from ucoder.client.results import Answer, Row, Verdict, answer_of, verdict_of
from ucoder.v1 import consensus_pb2, consensus_pb2_grpc


class AsyncClient:
    """`Client`, awaited.

    >>> import asyncio
    >>> from ucoder.client import AsyncClient
    >>> async def ask():
    ...     async with AsyncClient(address) as ucoder:
    ...         return await ucoder.select(["def f(x: int): return abs(x)", "def f(x: int): return x if x > 0 else -x"])
    >>> answer = asyncio.run(ask())
    >>> answer.verdict.selected, len(answer.tests)
    (0, 64)
    """

    def __init__(self, address: str, **dial: Any) -> None:
        """`dial`: token, tls, ca, certificate, key, attempts, seconds; see `Connection`."""
        self._dial = Connection(address=address, **dial)
        credentials = self._dial.credentials
        self._channel = (
            grpc.aio.insecure_channel(address, self._dial.options)
            if credentials is None
            else grpc.aio.secure_channel(address, credentials, self._dial.options)
        )
        self._stub = consensus_pb2_grpc.ConsensusServiceStub(self._channel)

    async def __aenter__(self) -> "AsyncClient":
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Ends the connection; calls under way end with Retry."""
        await self._channel.close()

    async def select(
        self,
        programs: Sequence[str],
        tests: Sequence[Test] = (),
        *,
        entry_point: str = "",
        prompt: str = "",
        mean_log_probs: Sequence[float] = (),
        **options: Any,
    ) -> Answer:
        """See `Client.select`."""
        request = select_request(programs, tests, entry_point, prompt, mean_log_probs, Options(**options))
        try:
            return answer_of(await self._stub.Select(request, **self._call), programs)
        except grpc.aio.AioRpcError as error:
            raise fault(error) from None

    async def select_stream(
        self,
        programs: Sequence[str],
        tests: Sequence[Test] = (),
        *,
        entry_point: str = "",
        prompt: str = "",
        mean_log_probs: Sequence[float] = (),
        **options: Any,
    ) -> AsyncIterator[Answer]:
        """See `Client.select_stream`."""
        request = select_request(programs, tests, entry_point, prompt, mean_log_probs, Options(**options))
        call = self._stub.SelectStream(consensus_pb2.SelectStreamRequest(select=request), **self._call)
        try:
            async for message in call:
                yield answer_of(message.answer, programs, message.final)
        except grpc.aio.AioRpcError as error:
            raise fault(error) from None
        finally:
            call.cancel()

    async def cluster(
        self,
        rows: Sequence[Row],
        tests: Sequence[Test],
        *,
        programs: Sequence[str] = (),
        mean_log_probs: Sequence[float] = (),
        **options: Any,
    ) -> Verdict:
        """See `Client.cluster`."""
        request = cluster_request(rows, tests, programs, mean_log_probs, Options(**options))
        try:
            return verdict_of((await self._stub.Cluster(request, **self._call)).verdict)
        except grpc.aio.AioRpcError as error:
            raise fault(error) from None

    @property
    def _call(self) -> dict[str, Any]:
        return {"timeout": self._dial.seconds, "metadata": self._dial.metadata}
