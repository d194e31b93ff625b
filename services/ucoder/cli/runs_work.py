"""`ucoder runs`: create, list, show, watch, cancel and resume runs of a RunService."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import grpc
from rich.console import Console
from rich.table import Table

from ucoder.cli.serve_proxy import token_of
from ucoder.client.connection import Connection
from ucoder.errors import Misconfigured, of_call
from ucoder.runs import run_config
from ucoder.runtime.settings import load
from ucoder.v1 import artifacts_pb2 as pb
from ucoder.v1 import runs_pb2, runs_pb2_grpc


@dataclass(frozen=True)
class Door:
    """Where a RunService is: host:port (default: UCODER_LISTEN), and a file with the caller's token for it.

    TLS is what UCODER_TLS_CA, UCODER_TLS_CERTIFICATE and UCODER_TLS_KEY say.
    """

    address: str | None
    token_file: Path | None

    @asynccontextmanager
    async def open(self) -> "AsyncIterator[tuple[runs_pb2_grpc.RunServiceAsyncStub, tuple[tuple[str, str], ...]]]":
        """The service, and the metadata of a call."""
        settings = load()
        dial = Connection(
            address=self.address or settings.listen, token=token_of(self.token_file),
            ca=settings.tls_ca, certificate=settings.tls_certificate, key=settings.tls_key,
        )  # fmt: skip
        try:
            credentials = dial.credentials
        except OSError as error:
            raise Misconfigured(f"TLS: {error.filename}: {error.strerror}.") from None
        channel = (
            grpc.aio.secure_channel(dial.address, credentials)
            if credentials
            else grpc.aio.insecure_channel(dial.address)
        )
        async with channel:
            try:
                yield runs_pb2_grpc.RunServiceStub(channel), dial.metadata
            except grpc.aio.AioRpcError as error:
                raise of_call(error) from None


async def create(door: Door, file: Path | None, preset: str | None, run: str) -> None:
    """Starts a run with a configuration that is complete and checked here; prints it."""
    request = runs_pb2.CreateRunRequest(id=run, config=run_config.load(file, preset))
    async with door.open() as (runs, metadata):
        _print((await runs.CreateRun(request, metadata=metadata)).status)


async def listing(door: Door) -> None:
    """Prints every run in a line."""
    async with door.open() as (runs, metadata):
        answer = await runs.ListRuns(runs_pb2.ListRunsRequest(), metadata=metadata)
    table = Table("run", "state", "iteration", "briefs ended", "pass@1", "reason")
    for run in answer.runs:
        table.add_row(
            run.id, state(run), str(run.iteration), f"{run.made['consensus']}/{run.briefs}", _pass_at_1(run), run.reason
        )
    Console().print(table)


async def show(door: Door, run: str) -> None:
    """Prints one run."""
    async with door.open() as (runs, metadata):
        _print((await runs.GetRun(runs_pb2.GetRunRequest(id=run), metadata=metadata)).status)


async def watch(door: Door, run: str) -> None:
    """Prints a run whenever it has changed, until it has ended."""
    async with door.open() as (runs, metadata):
        async for answer in runs.WatchRun(runs_pb2.WatchRunRequest(id=run), metadata=metadata):
            _print(answer.status)


async def cancel(door: Door, run: str, reason: str) -> None:
    """Ends a run where it stands."""
    request = runs_pb2.CancelRunRequest(id=run, reason=reason)
    async with door.open() as (runs, metadata):
        _print((await runs.CancelRun(request, metadata=metadata)).status)


async def resume(door: Door, run: str) -> None:
    """Goes on with a run that failed or was cancelled."""
    async with door.open() as (runs, metadata):
        answer = await runs.ResumeRun(runs_pb2.ResumeRunRequest(id=run), metadata=metadata)
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
