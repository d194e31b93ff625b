"""The Python client: the examples in its docstrings, retries, errors, TLS and tokens."""

import doctest
import itertools
import shutil
import subprocess
import time
from collections.abc import Iterator
from concurrent import futures
from contextlib import contextmanager
from dataclasses import fields
from pathlib import Path
from typing import Any

import grpc
import pytest

import ucoder.client.clients
from ucoder.client import AsyncClient, Client, Connection, Options, Row
from ucoder.client.connection import ConnectionOptions
from ucoder.client.requests import cluster_request, select_request
from ucoder.errors import Misconfigured, NoInputs, Overloaded, Reject, Retry
from ucoder.v1 import artifacts_pb2 as pb
from ucoder.v1 import config_pb2, consensus_pb2, consensus_pb2_grpc


def test_the_examples_in_the_docstrings_run(served: str) -> None:
    finder, runner = doctest.DocTestFinder(), doctest.DocTestRunner()
    found = [test for test in finder.find(ucoder.client.clients, globs={"address": served}) if test.examples]
    assert len(found) == 3
    for test in found:
        runner.run(test)
    assert runner.summarize().failed == 0


def test_a_stream_ends_with_the_final_answer(served: str) -> None:
    programs = ["def f(x):\n    return x + 1"] * 3 + ["def f(x):\n    while True: pass"]
    with Client(served) as client:
        answers = list(client.select_stream(programs, ["f(1)", "f(2)"], cpu_seconds=0.2))
    assert [answer.final for answer in answers] == [False] * (len(answers) - 1) + [True]
    assert answers[-1].program == programs[0]


async def test_the_asynchronous_client_streams_and_clusters(served: str) -> None:
    async with AsyncClient(served) as client:
        answers = [answer async for answer in client.select_stream(["def f(x): return x"], ["f(1)"])]
        assert answers[-1].verdict.selected == 0
        verdict = await client.cluster([Row(["passed"], ["2"]), Row(["failed"], ["1"])], ["assert f(1) == 2"])
        assert verdict.selected == 0
        with pytest.raises(Reject, match="programs: required"):
            await client.select([])


def test_the_bound_of_theorem_2_4_is_part_of_the_verdict_on_request(served: str) -> None:
    programs = ["def f(x): return x + 1", "def f(x): return 1 + x", "def f(x): return 2 * x", "def f(x): return x"]
    with Client(served) as client:
        assert client.select(programs, ["f(5)", "f(6)"]).verdict.theorem_bound is None
        bound = client.select(programs, ["f(5)", "f(6)"], theorem_bound=True).verdict.theorem_bound
        rows = [Row(["returned"], ["1"]), Row(["returned"], ["1"]), Row(["returned"], ["2"])]
        without_pairs = client.cluster(rows, ["f(0)"], theorem_bound=True).theorem_bound
    assert bound is not None
    assert (bound.programs, bound.tests, bound.collision_rate, bound.printed) == (4, 2, 0.0, 0.95)
    assert {premise.name for premise in bound.premises} >= {"independent_tests"}
    assert bound.sentence.startswith("Theorem 2.4: 4 programs, 2 tests")
    assert without_pairs is not None
    assert without_pairs.collision_rate is None


def test_missing_inputs_are_an_error_of_their_own(served: str) -> None:
    with Client(served) as client, pytest.raises(NoInputs, match="parameter x: neither annotation"):
        client.select(["def f(x):\n    return x.y\n"])


def test_an_unknown_option_is_refused_before_the_call() -> None:
    with Client("127.0.0.1:9") as client, pytest.raises(TypeError, match="no option is called 'inptus'"):
        client.select(["x"], inptus=3)  # type: ignore[call-arg]


def test_the_typed_keywords_of_a_client_are_the_fields_of_a_connection() -> None:
    assert set(ConnectionOptions.__annotations__) == {field.name for field in fields(Connection)} - {"address"}


def test_every_option_is_part_of_the_request() -> None:
    values: Options = {
        "strategy": "codet", "strategy_options": {"min_share": 0.5}, "min_confidence": 0.25, "mean_log_probs": [-1.0],
        "theorem_bound": True, "entry_point": "f", "prompt": "p", "inputs": 3, "seed": 4, "partial_seconds": 5.0,
        "stop_early": True, "max_change": 0.5, "cpu_seconds": 6.0, "wall_seconds": 7.0, "memory_mb": 64,
        "language": "javascript",
    }  # fmt: skip
    assert set(values) == set(Options.__annotations__)
    selection = config_pb2.SelectionConfig(strategy="codet", options={"min_share": 0.5}, min_confidence=0.25)
    assert select_request(["x"], ["f(1)", ("in", "out")], values) == consensus_pb2.SelectRequest(
        programs=["x"], tests=[pb.TestCase(code="f(1)"), pb.TestCase(stdin="in", expected_stdout="out")],
        selection=selection, mean_log_probs=[-1.0], theorem_bound=True, entry_point="f", prompt="p", inputs=3, seed=4,
        partial_seconds=5.0, stop_early=True, max_change=0.5, language="javascript",
        limits=config_pb2.ExecutionConfig(cpu_seconds=6, wall_seconds=7, memory_mb=64, give_up_after_timeouts=2),
    )  # fmt: skip
    assert cluster_request([], [], ["x"], values) == consensus_pb2.ClusterRequest(
        programs=["x"], selection=selection, mean_log_probs=[-1.0], theorem_bound=True
    )


def test_the_defaults_of_a_request() -> None:
    assert select_request(["x"], [], {}) == consensus_pb2.SelectRequest(
        programs=["x"], selection=config_pb2.SelectionConfig(strategy="default"), language="python",
        limits=config_pb2.ExecutionConfig(cpu_seconds=1, wall_seconds=5, memory_mb=512, give_up_after_timeouts=2),
    )  # fmt: skip


def test_scripts_are_tested_by_their_output(served: str) -> None:
    with Client(served) as client:
        answer = client.select(["print(input() * 2)", "print(2)"], [("ab", "abab"), ("c", "cc")])
    assert answer.program == "print(input() * 2)"


class FailingService(consensus_pb2_grpc.ConsensusServiceServicer):
    """Refuses some calls, and records the time and the token of each."""

    def __init__(self, statuses: list[grpc.StatusCode]) -> None:
        self.statuses = itertools.chain(statuses, itertools.repeat(None))
        self.seen: list[tuple[float, str]] = []

    def Select(self, request: consensus_pb2.SelectRequest, context: Any) -> consensus_pb2.SelectResponse:  # noqa: N802
        self.seen.append((time.monotonic(), dict(context.invocation_metadata()).get("authorization", "")))
        status = next(self.statuses)
        if status is not None:
            context.abort(status, "not now")
        return consensus_pb2.SelectResponse(verdict=consensus_pb2.Verdict(selected=0))


@contextmanager
def failing_service(
    *statuses: grpc.StatusCode, credentials: grpc.ServerCredentials | None = None
) -> Iterator[tuple[str, FailingService]]:
    servicer = FailingService(list(statuses))
    server = grpc.server(futures.ThreadPoolExecutor(2))
    consensus_pb2_grpc.add_ConsensusServiceServicer_to_server(servicer, server)
    free_port = "localhost:0"
    port = server.add_secure_port(free_port, credentials) if credentials else server.add_insecure_port(free_port)
    server.start()
    try:
        yield f"localhost:{port}", servicer
    finally:
        server.stop(None).wait()


def test_a_transient_failure_is_retried_after_growing_pauses() -> None:
    transient = (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.RESOURCE_EXHAUSTED)
    with failing_service(*transient) as (address, servicer), Client(address, token="secret-of-alice") as client:
        assert client.select(["x" * 3_000_000]).program == "x" * 3_000_000  # larger than gRPC's own retry buffer
    times = [when for when, _ in servicer.seen]
    assert len(times) == 3
    assert times[2] - times[1] > 0.5 > 0.2 < times[1] - times[0]
    assert {token for _, token in servicer.seen} == {"Bearer secret-of-alice"}


@pytest.mark.parametrize(
    ("status", "kind", "calls"),
    [
        (grpc.StatusCode.RESOURCE_EXHAUSTED, Overloaded, 2),
        (grpc.StatusCode.UNAVAILABLE, Retry, 2),
        (grpc.StatusCode.INVALID_ARGUMENT, Reject, 1),
        (grpc.StatusCode.UNAUTHENTICATED, Misconfigured, 1),
        (grpc.StatusCode.INTERNAL, Retry, 1),
    ],
)
def test_a_lasting_failure_raises_the_error_of_its_status(status: grpc.StatusCode, kind: type, calls: int) -> None:
    with failing_service(*[status] * 9) as (address, servicer), Client(address, attempts=2) as client:
        with pytest.raises(kind, match="not now"):
            client.select(["x"])
        assert len(servicer.seen) == calls


def test_an_absent_service_raises_retry_within_the_deadline() -> None:
    with Client("127.0.0.1:9", attempts=1, seconds=5) as client, pytest.raises(Retry):
        client.select(["x"])


async def test_tls_with_certificates_on_both_sides(tmp_path: Path) -> None:
    if not shutil.which("openssl"):
        pytest.skip("openssl is not installed")
    key, chain = tmp_path / "key.pem", tmp_path / "chain.pem"
    kind = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "1"]
    name = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"]
    files = ["-keyout", str(key), "-out", str(chain)]
    subprocess.run(["openssl", "req", "-x509", *kind, *name, *files], check=True, capture_output=True)
    pair = [(key.read_bytes(), chain.read_bytes())]
    credentials = grpc.ssl_server_credentials(pair, chain.read_bytes(), require_client_auth=True)
    with failing_service(credentials=credentials) as (address, servicer):
        async with AsyncClient(address, ca=chain, certificate=chain, key=key, token="secret-of-alice") as client:
            assert (await client.select(["x"])).program == "x"
        assert servicer.seen[0][1] == "Bearer secret-of-alice"
        async with AsyncClient(address, ca=chain, attempts=1, seconds=10) as without_certificate:
            with pytest.raises(Retry):
                await without_certificate.select(["x"])
        async with AsyncClient(address, attempts=1, seconds=10) as without_tls:
            with pytest.raises(Retry):
                await without_tls.select(["x"])
    assert len(servicer.seen) == 1
