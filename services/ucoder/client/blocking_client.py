"""The client that waits."""

from collections.abc import Iterator, Sequence
from types import TracebackType
from typing import Any

import grpc

from ucoder.client.connection import Connection, fault
from ucoder.client.requests import Options, Test, cluster_request, select_request
from ucoder.client.results import Answer, Row, Verdict, answer_of, verdict_of
from ucoder.v1 import consensus_pb2, consensus_pb2_grpc


class Client:
    """Asks a ConsensusService. Safe to share between threads; close it, or use it in a `with`.

    Every call raises an `UcoderError` by whose fault it is: `Reject` for the request, `Retry` for the world.

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

    def __init__(self, address: str, **dial: Any) -> None:
        """`dial`: token, tls, ca, certificate, key, attempts, seconds; see `Connection`."""
        self._dial = Connection(address=address, **dial)
        credentials = self._dial.credentials
        self._channel = (
            grpc.insecure_channel(address, self._dial.options)
            if credentials is None
            else grpc.secure_channel(address, credentials, self._dial.options)
        )
        self._stub = consensus_pb2_grpc.ConsensusServiceStub(self._channel)

    def __enter__(self) -> "Client":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Ends the connection; calls under way end with Retry."""
        self._channel.close()

    def select(
        self,
        programs: Sequence[str],
        tests: Sequence[Test] = (),
        *,
        entry_point: str = "",
        prompt: str = "",
        mean_log_probs: Sequence[float] = (),
        **options: Any,
    ) -> Answer:
        """Executes the programs and selects. Without tests, inputs are synthesised. `options`: see `Options`."""
        request = select_request(programs, tests, entry_point, prompt, mean_log_probs, Options(**options))
        try:
            return answer_of(self._stub.Select(request, **self._call), programs)
        except grpc.RpcError as error:
            raise fault(error) from None

    def select_stream(
        self,
        programs: Sequence[str],
        tests: Sequence[Test] = (),
        *,
        entry_point: str = "",
        prompt: str = "",
        mean_log_probs: Sequence[float] = (),
        **options: Any,
    ) -> Iterator[Answer]:
        """The same with an answer whenever more is known; the last one is `final`. Leaving the loop stops the work."""
        request = select_request(programs, tests, entry_point, prompt, mean_log_probs, Options(**options))
        call = self._stub.SelectStream(consensus_pb2.SelectStreamRequest(select=request), **self._call)
        try:
            for message in call:
                yield answer_of(message.answer, programs, message.final)
        except grpc.RpcError as error:
            raise fault(error) from None
        finally:
            call.cancel()

    def cluster(
        self,
        rows: Sequence[Row],
        tests: Sequence[Test],
        *,
        programs: Sequence[str] = (),
        mean_log_probs: Sequence[float] = (),
        **options: Any,
    ) -> Verdict:
        """Selects from a finished matrix: a row for each program."""
        request = cluster_request(rows, tests, programs, mean_log_probs, Options(**options))
        try:
            return verdict_of(self._stub.Cluster(request, **self._call).verdict)
        except grpc.RpcError as error:
            raise fault(error) from None

    @property
    def _call(self) -> dict[str, Any]:
        return {"timeout": self._dial.seconds, "metadata": self._dial.metadata}
