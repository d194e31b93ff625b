"""Tests of the gRPC server on real sockets: typed errors, limits, tokens, health, reflection, a port in use."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

from ucoder.errors import Misconfigured
from ucoder.runs.run_config import load
from ucoder.runtime.app import serving
from ucoder.runtime.settings import Settings
from ucoder.v1 import artifacts_pb2 as pb
from ucoder.v1 import consensus_pb2, consensus_pb2_grpc, runs_pb2, runs_pb2_grpc

ROWS = [
    pb.Row(program=0, outcomes=[pb.OUTCOME_PASSED], outputs=["2"]),
    pb.Row(program=1, outcomes=[pb.OUTCOME_PASSED], outputs=["2"]),
    pb.Row(program=2, outcomes=[pb.OUTCOME_FAILED], outputs=["3"]),
]
FINISHED = consensus_pb2.ClusterRequest(rows=ROWS, tests=[pb.TestCase(code="assert f(1) == 2")])


@asynccontextmanager
async def serving_channel(settings: Settings, *services: str) -> AsyncIterator[grpc.aio.Channel]:
    async with serving(settings, services) as context, grpc.aio.insecure_channel(context.address) as channel:
        yield channel


async def refusal(call: object) -> tuple[grpc.StatusCode, str]:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call  # type: ignore[misc]
    return caught.value.code(), caught.value.details() or ""


async def test_a_call_is_answered_and_an_invalid_one_names_its_fault(
    nats_url: str, make_settings: Callable[..., Settings]
) -> None:
    async with serving_channel(make_settings(nats_url=nats_url), "consensus") as channel:
        stub = consensus_pb2_grpc.ConsensusServiceStub(channel)
        answer = await stub.Cluster(FINISHED)
        assert answer.verdict.selected in (0, 1)
        code, words = await refusal(stub.Cluster(consensus_pb2.ClusterRequest(tests=FINISHED.tests)))
        assert (code, words) == (grpc.StatusCode.INVALID_ARGUMENT, "rows: required, and missing.")
        ragged = consensus_pb2.ClusterRequest(rows=[pb.Row(outcomes=[1, 1])], tests=FINISHED.tests)
        code, words = await refusal(stub.Cluster(ragged))
        assert code == grpc.StatusCode.INVALID_ARGUMENT
        assert "2 outcomes for 1 tests" in words


async def test_health_follows_the_worker_and_reflection_lists_the_services(
    nats_url: str, make_settings: Callable[..., Settings]
) -> None:
    async with serving_channel(make_settings(nats_url=nats_url), "consensus") as channel:
        health = health_pb2_grpc.HealthStub(channel)
        async with asyncio.timeout(10):
            for name in ("", "ucoder.v1.ConsensusService"):
                while True:
                    answer = await health.Check(health_pb2.HealthCheckRequest(service=name))
                    if answer.status == health_pb2.HealthCheckResponse.SERVING:
                        break
                    await asyncio.sleep(0.05)
        reflection = reflection_pb2_grpc.ServerReflectionStub(channel)
        asked = reflection_pb2.ServerReflectionRequest(list_services="")
        [answer] = [a async for a in reflection.ServerReflectionInfo(iter([asked]))]
        names = {service.name for service in answer.list_services_response.service}
        assert "ucoder.v1.ConsensusService" in names


async def test_a_caller_without_a_known_token_is_refused(
    nats_url: str, make_settings: Callable[..., Settings], tmp_path: Path
) -> None:
    tokens = tmp_path / "tokens"
    tokens.write_text("# callers\nalice:0123456789abcdef\n")
    async with serving_channel(make_settings(nats_url=nats_url, tokens_file=tokens), "consensus") as channel:
        stub = consensus_pb2_grpc.ConsensusServiceStub(channel)
        for metadata in ((), (("authorization", "Bearer wrong"),), (("authorization", ""),)):
            code, _ = await refusal(stub.Cluster(FINISHED, metadata=metadata))
            assert code == grpc.StatusCode.UNAUTHENTICATED
        answer = await stub.Cluster(FINISHED, metadata=(("authorization", "Bearer 0123456789abcdef"),))
        assert answer.HasField("verdict")
        health = health_pb2_grpc.HealthStub(channel)
        await health.Check(health_pb2.HealthCheckRequest())


async def test_a_run_is_visible_to_its_owner_only(
    nats_url: str, make_settings: Callable[..., Settings], tmp_path: Path
) -> None:
    tokens = tmp_path / "tokens"
    tokens.write_text("alice:alice-0123456789\nbob:bob-0123456789ab\n")
    alice, bob = ((("authorization", f"Bearer {token}"),) for token in ("alice-0123456789", "bob-0123456789ab"))
    async with serving_channel(make_settings(nats_url=nats_url, tokens_file=tokens), "runs") as channel:
        runs = runs_pb2_grpc.RunServiceStub(channel)
        asked = runs_pb2.CreateRunRequest(id="r", config=load(preset="demo"))
        await runs.CreateRun(asked, metadata=alice)
        code, words = await refusal(runs.CreateRun(asked, metadata=bob))
        assert (code, words) == (
            grpc.StatusCode.FAILED_PRECONDITION, "run r exists and belongs to another caller; choose another id.",
        )  # fmt: skip
        for call in (
            runs.GetRun(runs_pb2.GetRunRequest(id="r"), metadata=bob),
            runs.CancelRun(runs_pb2.CancelRunRequest(id="r"), metadata=bob),
            runs.ResumeRun(runs_pb2.ResumeRunRequest(id="r"), metadata=bob),
            runs.WatchRun(runs_pb2.WatchRunRequest(id="r"), metadata=bob).read(),
        ):
            assert await refusal(call) == (grpc.StatusCode.NOT_FOUND, "no run r; `ucoder runs list` names them.")
        assert not (await runs.ListRuns(runs_pb2.ListRunsRequest(), metadata=bob)).runs
        [mine] = (await runs.ListRuns(runs_pb2.ListRunsRequest(), metadata=alice)).runs
        assert (mine.id, mine.state) == ("r", runs_pb2.RUN_STATE_RUNNING)
        ended = await runs.CancelRun(runs_pb2.CancelRunRequest(id="r"), metadata=alice)
        assert ended.status.state == runs_pb2.RUN_STATE_CANCELLED


@pytest.mark.parametrize("text", ["", "alice", "alice:short", ":0123456789abcdef"])
async def test_an_empty_or_malformed_tokens_file_is_refused(
    nats_url: str, make_settings: Callable[..., Settings], tmp_path: Path, text: str
) -> None:
    tokens = tmp_path / "tokens"
    tokens.write_text(text)
    with pytest.raises(Misconfigured):
        async with serving_channel(make_settings(nats_url=nats_url, tokens_file=tokens), "consensus"):
            pass


async def test_size_and_load_limits(nats_url: str, make_settings: Callable[..., Settings]) -> None:
    async with serving_channel(
        make_settings(nats_url=nats_url, max_message_mb=1, max_calls=1), "consensus", "runs"
    ) as channel:
        stub = consensus_pb2_grpc.ConsensusServiceStub(channel)
        large = consensus_pb2.ClusterRequest(rows=ROWS, tests=FINISHED.tests, programs=["x" * 900_000] * 3)
        code, _ = await refusal(stub.Cluster(large))
        assert code == grpc.StatusCode.RESOURCE_EXHAUSTED
        runs = runs_pb2_grpc.RunServiceStub(channel)
        # No generator runs here, so this run makes no progress and its watcher keeps the only place.
        await runs.CreateRun(runs_pb2.CreateRunRequest(id="r", config=load(preset="demo")))
        watching = runs.WatchRun(runs_pb2.WatchRunRequest(id="r"))
        await watching.read()
        code, words = await refusal(stub.Cluster(FINISHED))
        assert (code, words) == (grpc.StatusCode.RESOURCE_EXHAUSTED, "1 calls at once is the limit; retry.")
        watching.cancel()


async def test_the_calls_of_one_caller_are_limited(
    nats_url: str, make_settings: Callable[..., Settings], tmp_path: Path
) -> None:
    tokens = tmp_path / "tokens"
    tokens.write_text("alice:alice-0123456789\nbob:bob-0123456789ab\n")
    alice, bob = ((("authorization", f"Bearer {token}"),) for token in ("alice-0123456789", "bob-0123456789ab"))
    settings = make_settings(nats_url=nats_url, tokens_file=tokens, max_calls=4, max_calls_each=2)
    async with serving_channel(settings, "runs") as channel:
        runs = runs_pb2_grpc.RunServiceStub(channel)
        await runs.CreateRun(runs_pb2.CreateRunRequest(id="r", config=load(preset="demo")), metadata=alice)
        watching = [runs.WatchRun(runs_pb2.WatchRunRequest(id="r"), metadata=alice) for _ in range(2)]
        for call in watching:
            await call.read()
        for _ in range(2):  # a refused call is not counted
            code, words = await refusal(runs.ListRuns(runs_pb2.ListRunsRequest(), metadata=alice))
            assert code == grpc.StatusCode.RESOURCE_EXHAUSTED
            assert words == "2 calls at once of one caller is the limit; retry."
        await runs.ListRuns(runs_pb2.ListRunsRequest(), metadata=bob)
        for call in watching:
            call.cancel()


async def test_a_call_ends_at_its_deadline(nats_url: str, make_settings: Callable[..., Settings]) -> None:
    async with serving_channel(make_settings(nats_url=nats_url, rpc_seconds=0.3), "runs") as channel:
        runs = runs_pb2_grpc.RunServiceStub(channel)
        await runs.CreateRun(runs_pb2.CreateRunRequest(id="r", config=load(preset="demo")))

        async def watch() -> None:
            async for _ in runs.WatchRun(runs_pb2.WatchRunRequest(id="r")):
                pass

        code, _ = await refusal(watch())
        assert code == grpc.StatusCode.DEADLINE_EXCEEDED


async def test_runs_are_created_once_listed_and_cancelled(
    nats_url: str, make_settings: Callable[..., Settings]
) -> None:
    async with serving_channel(make_settings(nats_url=nats_url), "runs") as channel:
        runs = runs_pb2_grpc.RunServiceStub(channel)
        asked = runs_pb2.CreateRunRequest(id="r", config=load(preset="demo"))
        await runs.CreateRun(asked)
        again = await runs.CreateRun(asked)
        assert again.status.state == runs_pb2.RUN_STATE_RUNNING
        asked.config.loop.briefs += 1
        code, words = await refusal(runs.CreateRun(asked))
        assert code == grpc.StatusCode.FAILED_PRECONDITION
        assert "another configuration" in words
        assert [r.id for r in (await runs.ListRuns(runs_pb2.ListRunsRequest())).runs] == ["r"]
        ended = await runs.CancelRun(runs_pb2.CancelRunRequest(id="r", reason="enough"))
        assert (ended.status.state, ended.status.reason) == (runs_pb2.RUN_STATE_CANCELLED, "enough")
        code, _ = await refusal(runs.GetRun(runs_pb2.GetRunRequest(id="absent")))
        assert code == grpc.StatusCode.NOT_FOUND


async def test_a_busy_port_is_named(nats_url: str, make_settings: Callable[..., Settings]) -> None:
    settings = make_settings(nats_url=nats_url)
    async with serving(settings, ("consensus",)) as context:
        with pytest.raises(Misconfigured, match=f"cannot listen at {context.address}"):
            async with serving_channel(settings.model_copy(update={"listen": context.address}), "consensus"):
                pass
