"""`ucoder serve NAME`: services in processes of their own find each other by UCODER_PEERS and end on SIGTERM."""

import asyncio
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from ucoder.v1 import artifacts_pb2 as pb
from ucoder.v1 import consensus_pb2, consensus_pb2_grpc


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


@asynccontextmanager
async def served(name: str, port: int, **variables: str) -> AsyncIterator[asyncio.subprocess.Process]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "ucoder", "serve", name, "--listen", f"127.0.0.1:{port}",
        env={**os.environ, **variables}, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    try:
        yield process
    finally:
        if process.returncode is None:
            process.send_signal(signal.SIGTERM)
        _, log = await asyncio.wait_for(process.communicate(), 60)
        assert process.returncode == 0, log.decode()
        assert b"service.stopped" in log


async def ready(port: int) -> None:
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel, asyncio.timeout(60):
        health = health_pb2_grpc.HealthStub(channel)
        while True:
            try:
                answer = await health.Check(health_pb2.HealthCheckRequest(), wait_for_ready=True)
            except grpc.aio.AioRpcError:
                continue
            if answer.status == health_pb2.HealthCheckResponse.SERVING:
                return
            await asyncio.sleep(0.1)


async def test_two_services_work_together_and_end_on_sigterm(nats_url: str, tmp_path: Path) -> None:
    sandbox, consensus = free_port(), free_port()
    variables = {
        "UCODER_NATS_URL": nats_url,
        "UCODER_STORE_URL": f"file://{tmp_path / 'store'}",
        "UCODER_CELLS": "1",
        "UCODER_PEERS": f"sandbox_runner=127.0.0.1:{sandbox}",
    }
    async with served("sandbox-runner", sandbox, **variables), served("consensus", consensus, **variables):
        await asyncio.gather(ready(sandbox), ready(consensus))
        async with grpc.aio.insecure_channel(f"127.0.0.1:{consensus}") as channel:
            answer = await consensus_pb2_grpc.ConsensusServiceStub(channel).Select(
                consensus_pb2.SelectRequest(
                    programs=["def f(x):\n    return x + 1", "def f(x):\n    return 1 + x", "def f(x):\n    return 9"],
                    tests=[pb.TestCase(code="f(1)"), pb.TestCase(code="f(5)"), pb.TestCase(code="assert f(2) == 3")],
                    entry_point="f",
                )
            )
        assert answer.verdict.selected in (0, 1)
        assert sorted(answer.verdict.clusters[0].members) == [0, 1]
        assert answer.verdict.disagreements[0].input == "f(1)"
