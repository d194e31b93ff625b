"""Abuse of the RPCs: each gets requests that are nearly right, and bytes that are no request.

Every call must end with a typed status and none with an unexpected error, and the services must answer as before.
"""

from collections.abc import Callable
from random import Random

import grpc
import pytest
from google.protobuf import symbol_database
from google.protobuf.message_factory import GetMessageClass
from tests.fuzz.mutations import filled, mutated

from ucoder.flow import SERVICES
from ucoder.runtime.app import serving
from ucoder.runtime.settings import Settings
from ucoder.v1 import artifacts_pb2 as pb
from ucoder.v1 import consensus_pb2, consensus_pb2_grpc, runs_pb2, runs_pb2_grpc

CALLS = 12
DEADLINE = 2.0
_CODES = grpc.StatusCode
TYPED = {
    _CODES.OK, _CODES.INVALID_ARGUMENT, _CODES.NOT_FOUND, _CODES.FAILED_PRECONDITION, _CODES.RESOURCE_EXHAUSTED,
    _CODES.UNAVAILABLE, _CODES.DEADLINE_EXCEEDED,
}  # fmt: skip


def methods() -> list[tuple[str, type, bool]]:
    """Returns every RPC of ours: its path, the class of its request, whether its answer is a stream."""
    pool = symbol_database.Default().pool
    found = []
    for service in SERVICES:
        name = service.removesuffix("_runner") if service == "sandbox_runner" else service
        file = pool.FindFileByName(f"ucoder/v1/{name}.proto")
        for described in file.services_by_name.values():
            for method in described.methods:
                path = f"/{described.full_name}/{method.name}"
                found.append((path, GetMessageClass(method.input_type), method.server_streaming))
    return found


async def status(channel: grpc.aio.Channel, path: str, data: bytes, streams: bool) -> tuple[grpc.StatusCode, str]:
    """Sends bytes as they are and waits for the end of the call."""
    try:
        if streams:
            async for _ in channel.unary_stream(path)(data, timeout=DEADLINE):
                pass
        else:
            await channel.unary_unary(path)(data, timeout=DEADLINE)
    except grpc.aio.AioRpcError as error:
        return error.code(), error.details() or ""
    return grpc.StatusCode.OK, ""


@pytest.mark.timeout(280)
async def test_no_request_breaks_a_service(nats_url: str, make_settings: Callable[..., Settings]) -> None:
    random = Random(1)
    async with (
        serving(make_settings(nats_url=nats_url, cells=1), SERVICES) as context,
        grpc.aio.insecure_channel(context.address) as channel,
    ):
        for path, request, streams in methods():
            for call in range(CALLS):
                data = filled(random, request()).SerializeToString()
                if call % 3 == 2:
                    data = mutated(random, [data])
                code, words = await status(channel, path, data, streams)
                assert code in TYPED, (path, code, words, data)
        rows = [pb.Row(program=n, outcomes=[pb.OUTCOME_PASSED], outputs=["2"]) for n in range(2)]
        asked = consensus_pb2.ClusterRequest(rows=rows, tests=[pb.TestCase(code="assert f(1) == 2")])
        assert (await consensus_pb2_grpc.ConsensusServiceStub(channel).Cluster(asked)).verdict.selected == 0
        await runs_pb2_grpc.RunServiceStub(channel).ListRuns(runs_pb2.ListRunsRequest())
