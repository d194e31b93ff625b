"""The Python client: its own examples, its retries, TLS and tokens."""

import doctest
import itertools
import shutil
import subprocess
import time
from collections.abc import Iterator
from concurrent import futures
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import grpc
import pytest

import ucoder.client.async_client
import ucoder.client.blocking_client
from ucoder.client import AsyncClient, Client, Row
from ucoder.errors import Misconfigured, Overloaded, Reject, Retry
from ucoder.v1 import consensus_pb2, consensus_pb2_grpc


@pytest.mark.parametrize("module", [ucoder.client.blocking_client, ucoder.client.async_client])
def test_the_examples_in_the_docstrings_hold(module: Any, served: str) -> None:
    finder, runner = doctest.DocTestFinder(), doctest.DocTestRunner()
    found = [test for test in finder.find(module, globs={"address": served}) if test.examples]
    assert found
    for test in found:
        runner.run(test)
    assert runner.summarize().failed == 0


def test_a_stream_ends_with_the_final_answer(served: str) -> None:
    programs = ["def f(x):\n    return x + 1"] * 3 + ["def f(x):\n    while True: pass"]
    with Client(served) as client:
        answers = list(client.select_stream(programs, ["f(1)", "f(2)"], cpu_seconds=0.2))
    assert [answer.final for answer in answers] == [False] * (len(answers) - 1) + [True]
    assert answers[-1].program == programs[0]


async def test_the_awaiting_client_streams_and_clusters(served: str) -> None:
    async with AsyncClient(served) as client:
        answers = [answer async for answer in client.select_stream(["def f(x): return x"], ["f(1)"])]
        assert answers[-1].verdict.selected == 0
        verdict = await client.cluster([Row(["passed"], ["2"]), Row(["failed"], ["1"])], ["assert f(1) == 2"])
        assert verdict.selected == 0
        with pytest.raises(Reject, match="programs: required"):
            await client.select([])


def test_scripts_are_tested_by_what_they_print(served: str) -> None:
    with Client(served) as client:
        answer = client.select(["print(input() * 2)", "print(2)"], [("ab", "abab"), ("c", "cc")])
    assert answer.program == "print(input() * 2)"


class Unwell(consensus_pb2_grpc.ConsensusServiceServicer):
    """Refuses some calls, and notes when each came and with what token."""

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
def unwell(
    *statuses: grpc.StatusCode, credentials: grpc.ServerCredentials | None = None
) -> Iterator[tuple[str, Unwell]]:
    servicer = Unwell(list(statuses))
    server = grpc.server(futures.ThreadPoolExecutor(2))
    consensus_pb2_grpc.add_ConsensusServiceServicer_to_server(servicer, server)
    anywhere = "localhost:0"
    port = server.add_secure_port(anywhere, credentials) if credentials else server.add_insecure_port(anywhere)
    server.start()
    try:
        yield f"localhost:{port}", servicer
    finally:
        server.stop(None).wait()


def test_what_may_pass_is_tried_again_after_growing_pauses() -> None:
    passing = (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.RESOURCE_EXHAUSTED)
    with unwell(*passing) as (address, servicer), Client(address, token="secret-of-alice") as client:
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
def test_what_stays_is_an_error_by_whose_fault_it_is(status: grpc.StatusCode, kind: type, calls: int) -> None:
    with unwell(*[status] * 9) as (address, servicer), Client(address, attempts=2) as client:
        with pytest.raises(kind, match="not now"):
            client.select(["x"])
        assert len(servicer.seen) == calls


def test_nobody_there_is_the_world_s_fault_and_comes_within_the_deadline() -> None:
    with Client("127.0.0.1:9", attempts=1, seconds=5) as client, pytest.raises(Retry):
        client.select(["x"])


async def test_tls_with_proof_on_both_sides(tmp_path: Path) -> None:
    if not shutil.which("openssl"):
        pytest.skip("openssl is not installed")
    key, chain = tmp_path / "key.pem", tmp_path / "chain.pem"
    kind = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "1"]
    name = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"]
    files = ["-keyout", str(key), "-out", str(chain)]
    subprocess.run(["openssl", "req", "-x509", *kind, *name, *files], check=True, capture_output=True)
    pair = [(key.read_bytes(), chain.read_bytes())]
    credentials = grpc.ssl_server_credentials(pair, chain.read_bytes(), require_client_auth=True)
    with unwell(credentials=credentials) as (address, servicer):
        async with AsyncClient(address, ca=chain, certificate=chain, key=key, token="secret-of-alice") as client:
            assert (await client.select(["x"])).program == "x"
        assert servicer.seen[0][1] == "Bearer secret-of-alice"
        async with AsyncClient(address, ca=chain, attempts=1, seconds=10) as nobody:
            with pytest.raises(Retry):
                await nobody.select(["x"])
        async with AsyncClient(address, attempts=1, seconds=10) as in_the_clear:
            with pytest.raises(Retry):
                await in_the_clear.select(["x"])
    assert len(servicer.seen) == 1
