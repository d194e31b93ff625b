"""The clients of ConsensusService and SandboxService: `Client` blocks, `AsyncClient` is awaited; calls are equal."""

from collections.abc import AsyncIterator, Iterator, Sequence
from typing import Any, Unpack

import grpc

from ucoder.client.connection import Connection, ConnectionOptions, open_channel, typed_errors
from ucoder.client.program_output import ProgramOutput, RunOptions, output_of, run_request
from ucoder.client.requests import Options, Test, cluster_request, select_request
from ucoder.client.results import Answer, Row, Verdict, answer_of, verdict_of
from ucoder.errors import Retry
from ucoder.v1 import consensus_pb2, consensus_pb2_grpc, sandbox_pb2_grpc


class _ConnectedClient:
    """The base of both clients: a channel of the library `grpc` or `grpc.aio`, and the services' stubs on it."""

    _library: Any

    def __init__(self, address: str, **options: Unpack[ConnectionOptions]) -> None:
        """Connects to `address`, host:port. `options` are the fields of `Connection`."""
        connection = Connection(address=address, **options)
        self._call = connection.call
        self._channel = open_channel(connection, self._library)
        self._stub = consensus_pb2_grpc.ConsensusServiceStub(self._channel)
        self._sandbox = sandbox_pb2_grpc.SandboxServiceStub(self._channel)


class Client(_ConnectedClient):
    """The client of ConsensusService and SandboxService for programs without an event loop.

    Threads may share a client. Close it, or use it in a `with` statement. Each call raises a subclass of `UcoderError`
    when it fails: `Reject` when the request is wrong, `Retry` when the same request may succeed later.

    >>> from ucoder.client import Client
    >>> with Client(address) as ucoder:
    ...     answer = ucoder.select(
    ...         ["def f(x): return 1 + x", "def f(x): return x + 1", "def f(x): return 9"],
    ...         tests=["assert f(1) == 2", "f(5)"],
    ...     )
    >>> answer.program
    'def f(x): return 1 + x'
    >>> [cluster.members for cluster in answer.verdict.clusters]
    [(0, 1), (2,)]
    >>> answer.verdict.disagreements[0]
    Disagreement(input='f(1)', outputs=('2', '9'), tests=('assert f(1) == 2',))
    """

    _library = grpc

    def __enter__(self) -> "Client":
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        """Closes the connection. Calls that have not ended raise Retry."""
        self._channel.close()

    def select(self, programs: Sequence[str], tests: Sequence[Test] = (), **options: Unpack[Options]) -> Answer:
        """Executes the programs on the tests, or on synthesised inputs where there are none, and selects one.

        `options` are the keywords of `Options`.
        """
        request = select_request(programs, tests, options)
        with typed_errors():
            answer = self._stub.Select(request, **self._call)
        return answer_of(answer, programs)

    def select_stream(
        self, programs: Sequence[str], tests: Sequence[Test] = (), **options: Unpack[Options]
    ) -> Iterator[Answer]:
        """Yields an answer whenever more programs have finished. The last answer is `final`.

        A caller that leaves the loop early cancels the execution.
        """
        request = consensus_pb2.SelectStreamRequest(select=select_request(programs, tests, options))
        call = self._stub.SelectStream(request, **self._call)
        try:
            with typed_errors():
                for message in call:
                    yield answer_of(message.answer, programs, message.final)
        finally:
            call.cancel()

    def cluster(
        self, rows: Sequence[Row], tests: Sequence[Test], *, programs: Sequence[str] = (), **options: Unpack[Options]
    ) -> Verdict:
        """Selects from a finished matrix: one row for each program. Nothing is executed."""
        request = cluster_request(rows, tests, programs, options)
        with typed_errors():
            answer = self._stub.Cluster(request, **self._call)
        return verdict_of(answer.verdict)

    def run(self, program: str, **options: Unpack[RunOptions]) -> ProgramOutput:
        """Runs one program in the sandbox and returns what it wrote, its exit code and the files that it left.

        A program that fails is a result. Raises `Retry` when the platform failed. `options` are the keywords of
        `RunOptions`.

        >>> from ucoder.client import Client
        >>> with Client(address) as ucoder:
        ...     output = ucoder.run("print(int(input()) + 1)", stdin="41")
        >>> output.stdout, output.process.exit_code
        ('42\\n', 0)
        """
        call = self._sandbox.Run(run_request(program, options), **self._call)
        with typed_errors():
            for message in call:
                return output_of(message.result)
        raise Retry("the sandbox ended the call without a result.")

    def run_stream(self, program: str, **options: Unpack[RunOptions]) -> Iterator[tuple[str, bytes] | ProgramOutput]:
        """Runs one program and yields what it writes as it appears: a stream's name and bytes; then the result.

        A caller that leaves the loop early ends the program.
        """
        call = self._sandbox.Run(run_request(program, options, stream=True), **self._call)
        try:
            with typed_errors():
                for message in call:
                    if message.HasField("result"):
                        yield output_of(message.result)
                    elif message.output.stdout:
                        yield "stdout", message.output.stdout
                    else:
                        yield "stderr", message.output.stderr
        finally:
            call.cancel()


class AsyncClient(_ConnectedClient):
    """The client of ConsensusService and SandboxService for an event loop: `Client`, with methods that are awaited.

    >>> import asyncio
    >>> from ucoder.client import AsyncClient
    >>> async def ask():
    ...     async with AsyncClient(address) as ucoder:
    ...         return await ucoder.select(["def f(x: int): return abs(x)", "def f(x: int): return x if x > 0 else -x"])
    >>> answer = asyncio.run(ask())
    >>> answer.verdict.selected, len(answer.tests)
    (0, 64)
    """

    _library = grpc.aio

    async def __aenter__(self) -> "AsyncClient":
        return self

    async def __aexit__(self, *error: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Closes the connection. Calls that have not ended raise Retry."""
        await self._channel.close()

    async def select(self, programs: Sequence[str], tests: Sequence[Test] = (), **options: Unpack[Options]) -> Answer:
        """Does what `Client.select` does."""
        request = select_request(programs, tests, options)
        with typed_errors():
            answer = await self._stub.Select(request, **self._call)
        return answer_of(answer, programs)

    async def select_stream(
        self, programs: Sequence[str], tests: Sequence[Test] = (), **options: Unpack[Options]
    ) -> AsyncIterator[Answer]:
        """Yields what `Client.select_stream` yields."""
        request = consensus_pb2.SelectStreamRequest(select=select_request(programs, tests, options))
        call = self._stub.SelectStream(request, **self._call)
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
            answer = await self._stub.Cluster(request, **self._call)
        return verdict_of(answer.verdict)

    async def run(self, program: str, **options: Unpack[RunOptions]) -> ProgramOutput:
        """Does what `Client.run` does."""
        call = self._sandbox.Run(run_request(program, options), **self._call)
        with typed_errors():
            async for message in call:
                return output_of(message.result)
        raise Retry("the sandbox ended the call without a result.")

    async def run_stream(
        self, program: str, **options: Unpack[RunOptions]
    ) -> AsyncIterator[tuple[str, bytes] | ProgramOutput]:
        """Yields what `Client.run_stream` yields."""
        call = self._sandbox.Run(run_request(program, options, stream=True), **self._call)
        try:
            with typed_errors():
                async for message in call:
                    if message.HasField("result"):
                        yield output_of(message.result)
                    elif message.output.stdout:
                        yield "stdout", message.output.stdout
                    else:
                        yield "stderr", message.output.stderr
        finally:
            call.cancel()
