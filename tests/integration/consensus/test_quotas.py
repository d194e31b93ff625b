"""Quotas of callers over gRPC: each token has its own."""

from collections.abc import Callable
from pathlib import Path

import grpc

from ucoder.consensus.service import REGISTER, Service
from ucoder.runtime.context import ServiceContext
from ucoder.runtime.grpc_server import CallChecks
from ucoder.runtime.quotas import Quotas
from ucoder.runtime.settings import Settings
from ucoder.v1 import artifacts_pb2 as pb
from ucoder.v1 import consensus_pb2, consensus_pb2_grpc


async def test_each_token_has_its_own_quota(
    nats_url: str, make_settings: Callable[..., Settings], tmp_path: Path, served: str
) -> None:
    tokens = tmp_path / "tokens"
    tokens.write_text("alice:0123456789abcdef\nbob:fedcba9876543210\n")
    settings = make_settings(nats_url=nats_url, tokens_file=tokens, peers=f"sandbox_runner={served}")
    async with ServiceContext.open(settings, ("consensus",)) as context:
        server = grpc.aio.server(interceptors=[CallChecks(context)])
        REGISTER(Service(context, Quotas(3)), server)
        port = server.add_insecure_port("127.0.0.1:0")
        await server.start()
        try:
            async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
                stub = consensus_pb2_grpc.ConsensusServiceStub(channel)

                async def ask(token: str, programs: int) -> grpc.StatusCode | None:
                    texts = [f"def f(x):\n    return x + {number}" for number in range(programs)]
                    request = consensus_pb2.SelectRequest(programs=texts * 2, tests=[pb.TestCase(code="f(1)")])
                    try:
                        await stub.Select(request, metadata=(("authorization", f"Bearer {token}"),))
                    except grpc.aio.AioRpcError as error:
                        return error.code()
                    return None

                assert await ask("0123456789abcdef", 3) is None  # six programs, three of them distinct
                assert await ask("0123456789abcdef", 2) == grpc.StatusCode.RESOURCE_EXHAUSTED
                assert await ask("fedcba9876543210", 3) is None
                assert await ask("fedcba9876543210", 4) == grpc.StatusCode.INVALID_ARGUMENT
        finally:
            await server.stop(1)
