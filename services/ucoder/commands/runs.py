"""`ucoder runs`: list, show, watch, cancel and resume runs of a RunService."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import grpc
from rich.console import Console
from rich.table import Table

from ucoder.runtime.errors import of_call
from ucoder.runtime.settings import load
from ucoder.v1 import artifacts_pb2 as pb
from ucoder.v1 import runs_pb2, runs_pb2_grpc


async def listing(address: str | None) -> None:
    """Prints every run in a line."""
    async with _service(address) as runs:
        answer = await runs.ListRuns(runs_pb2.ListRunsRequest())
    table = Table("run", "state", "iteration", "briefs ended", "pass@1", "reason")
    for run in answer.runs:
        table.add_row(
            run.id, state(run), str(run.iteration), f"{run.made['consensus']}/{run.briefs}", _pass_at_1(run), run.reason
        )
    Console().print(table)


async def show(address: str | None, run: str) -> None:
    """Prints one run."""
    async with _service(address) as runs:
        _print((await runs.GetRun(runs_pb2.GetRunRequest(id=run))).status)


async def watch(address: str | None, run: str) -> None:
    """Prints a run whenever it has changed, until it has ended."""
    async with _service(address) as runs:
        async for answer in runs.WatchRun(runs_pb2.WatchRunRequest(id=run)):
            _print(answer.status)


async def cancel(address: str | None, run: str, reason: str) -> None:
    """Ends a run where it stands."""
    async with _service(address) as runs:
        _print((await runs.CancelRun(runs_pb2.CancelRunRequest(id=run, reason=reason))).status)


async def resume(address: str | None, run: str) -> None:
    """Goes on with a run that failed or was cancelled."""
    async with _service(address) as runs:
        answer = await runs.ResumeRun(runs_pb2.ResumeRunRequest(id=run))
    Console().print(f"{answer.requeued} artefacts put back on the bus", highlight=False)
    _print(answer.status)


def state(run: runs_pb2.RunStatus) -> str:
    """running, succeeded, failed or cancelled."""
    return runs_pb2.RunState.Name(run.state).removeprefix("RUN_STATE_").lower()


def _print(run: runs_pb2.RunStatus) -> None:
    ends = f"selected {run.selected} abstained {run.abstained} dropped {sum(run.dropped.values())}"
    words = f"{run.id} {state(run)} iteration {run.iteration}: {ends} of {run.briefs}; pass@1 {_pass_at_1(run)}"
    Console().print(f"{words} {run.reason}".rstrip(), highlight=False, soft_wrap=True)


def _pass_at_1(run: runs_pb2.RunStatus) -> str:
    """Of every checkpoint of the loop so far, base first."""
    found = [
        f"{100 * score.value:.1f}%"
        for evaluation in run.evaluations
        if evaluation.served.checkpoint.variant == pb.VARIANT_LOOP
        for score in evaluation.scores
        if (score.tasks, score.metric) == ("benchmark", "pass_at_1")
    ]
    return " -> ".join(found) or "-"


@asynccontextmanager
async def _service(address: str | None) -> "AsyncIterator[runs_pb2_grpc.RunServiceAsyncStub]":
    async with grpc.aio.insecure_channel(address or load().listen) as channel:
        try:
            yield runs_pb2_grpc.RunServiceStub(channel)
        except grpc.aio.AioRpcError as error:
            raise of_call(error) from None
