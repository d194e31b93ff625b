"""`ucoder runs`: creates, lists, shows, watches, cancels, resumes and deletes runs, and fetches checkpoints."""

import contextlib
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Annotated, Any

import grpc
from rich.console import Console
from rich.table import Table
from typer import Argument, Option, Typer

from ucoder.cli.shared.options import AddressFlag, AddressTokenFlag, ConfigFlag, PresetFlag, read_token
from ucoder.cli.shared.registration import command
from ucoder.client.connection import Connection, open_channel, typed_errors
from ucoder.errors import Misconfigured, NotFound
from ucoder.runs import run_config
from ucoder.runs.checkpoint_scores import loop_evaluations, pass_at_1
from ucoder.runs.run_status import state_name
from ucoder.runtime.settings import load
from ucoder.runtime.storage.artifacts import Artifacts
from ucoder.runtime.storage.store import Store
from ucoder.runtime.storage.weights_reference import WeightsReference
from ucoder.v1 import artifacts_pb2 as pb
from ucoder.v1 import runs_pb2, runs_pb2_grpc

runs = Typer(
    help="Creates, lists, shows, watches, cancels, resumes and deletes runs; fetches their checkpoints.",
    no_args_is_help=True,
)
RunArgument = Annotated[str, Argument(help="Id of a run; `ucoder runs list` lists them.")]


@command(runs, "create")
async def create_run(
    config: ConfigFlag = None,
    preset: PresetFlag = None,
    run: Annotated[str, Option("--id", help="Id of the new run. Default: the service chooses one.")] = "",
    address: AddressFlag = None,
    token_file: AddressTokenFlag = None,
) -> None:
    """Starts a run on services that are served elsewhere; `ucoder run` brings its own.

    Example: `ucoder runs create --config my-run.yaml --address localhost:7070`
    """
    chosen = run_config.load(config, preset)
    async with _run_service(address, token_file) as call:
        _print_status((await call("CreateRun", id=run, config=chosen)).status)


@command(runs, "list")
async def list_runs(address: AddressFlag = None, token_file: AddressTokenFlag = None) -> None:
    """Lists every run, one a line.

    Example: `ucoder runs list`
    """
    async with _run_service(address, token_file) as call:
        answer = await call("ListRuns")
    table = Table("run", "state", "iteration", "briefs ended", "pass@1", "reason")
    for run in answer.runs:
        ended = f"{run.made['consensus']}/{run.briefs}"
        table.add_row(run.id, state_name(run.state), str(run.iteration), ended, _pass_at_1(run), run.reason)
    Console().print(table)


@command(runs, "show")
async def show_run(run: RunArgument, address: AddressFlag = None, token_file: AddressTokenFlag = None) -> None:
    """Shows one run as it is now.

    Example: `ucoder runs show my-run`
    """
    async with _run_service(address, token_file) as call:
        _print_status((await call("GetRun", id=run)).status)


@command(runs, "watch")
async def watch_run(run: RunArgument, address: AddressFlag = None, token_file: AddressTokenFlag = None) -> None:
    """Shows one run whenever it has changed, until it has ended.

    Example: `ucoder runs watch my-run --address localhost:7070`
    """
    async with _run_service(address, token_file) as call:
        async for answer in call("WatchRun", id=run):
            _print_status(answer.status)


@command(runs, "cancel")
async def cancel_run(
    run: RunArgument,
    reason: Annotated[str, Option(help="Reason that the run's status shows.")] = "",
    address: AddressFlag = None,
    token_file: AddressTokenFlag = None,
) -> None:
    """Ends a run now. Everything that it has stored stays.

    Example: `ucoder runs cancel my-run --reason "wrong model"`
    """
    async with _run_service(address, token_file) as call:
        _print_status((await call("CancelRun", id=run, reason=reason)).status)


@command(runs, "resume")
async def resume_run(run: RunArgument, address: AddressFlag = None, token_file: AddressTokenFlag = None) -> None:
    """Continues a run that failed or was cancelled, from what the store holds.

    Example: `ucoder runs resume my-run`
    """
    async with _run_service(address, token_file) as call:
        answer = await call("ResumeRun", id=run)
    Console().print(f"{answer.requeued} artefacts put back on the bus", highlight=False)
    _print_status(answer.status)


@command(runs, "delete")
async def delete_run(
    run: RunArgument,
    dry_run: Annotated[bool, Option("--dry-run", help="Only count what would be removed.")] = False,
    address: AddressFlag = None,
    token_file: AddressTokenFlag = None,
) -> None:
    """Removes a run that has ended, with its checkpoints and everything else that is stored of it.

    Example: `ucoder runs delete my-run --dry-run`
    """
    async with _run_service(address, token_file) as call:
        keys = (await call("DeleteRun", id=run, dry_run=dry_run)).keys
    Console().print(f"{run}: {keys} keys of the store {'would be removed' if dry_run else 'removed'}", highlight=False)


@command(runs, "fetch")
async def fetch_checkpoint(
    run: RunArgument,
    folder: Annotated[Path, Argument(help="Folder to make for the checkpoint.")],
    checkpoint: Annotated[str | None, Option(help="Such as 001 or 001-control. Default: the best one.")] = None,
) -> None:
    """Copies a run's best checkpoint out of the store at UCODER_STORE_URL: an ordinary Hugging Face folder.

    The best one is that of the promotion gate's last decision. The folder is complete or absent.

    Example: `ucoder runs fetch my-run models/my-run-best`
    """
    if folder.exists():
        raise Misconfigured(f"{folder} exists already: name a folder that does not exist.")
    artifacts = Artifacts(Store(load()))
    await artifacts.get(pb.Run, run, "000")  # raises Conflict for a run of another version
    found = await _checkpoint(artifacts, run, checkpoint)
    weights = WeightsReference.parse(found.path)
    if not weights.stored:
        raise NotFound(f"the checkpoint is run {run}'s base model, {weights}: the store holds no copy of it.")
    with Console(stderr=True).status(f"fetching {weights}"):
        await artifacts.store.get_folder(weights.place, folder)
    which = f"iteration {found.iteration}" + (", control" if found.variant == pb.VARIANT_CONTROL else "")
    trained = f"trained on {found.training.examples} examples"
    Console().print(f"{folder}: {which} of run {run}, {trained}", highlight=False, soft_wrap=True)


async def _checkpoint(artifacts: Artifacts, run: str, name: str | None) -> pb.Checkpoint:
    """Returns the checkpoint of that name, or the best one."""
    if not name:
        decided = await artifacts.names(run, "iteration")
        if not decided:
            raise NotFound(f"run {run} has evaluated no checkpoint yet.")
        return (await artifacts.get(pb.Iteration, run, decided[-1])).served.checkpoint
    if name not in (known := await artifacts.names(run, "checkpoint")):
        raise NotFound(f"run {run} has no checkpoint {name}; it has {', '.join(known)}.")
    return await artifacts.get(pb.Checkpoint, run, name)


@contextlib.asynccontextmanager
async def _run_service(address: str | None, token_file: Path | None) -> AsyncIterator[Callable[..., Any]]:
    """Yields a function that calls a method of the RunService at `address` (default: UCODER_LISTEN) by its name.

    UCODER_TLS_CA, UCODER_TLS_CERTIFICATE and UCODER_TLS_KEY say whether and how TLS is used. An error that the service
    answers is raised as one of ours.
    """
    settings = load()
    connection = Connection(
        address=address or settings.listen, token=read_token(token_file),
        ca=settings.tls_ca, certificate=settings.tls_certificate, key=settings.tls_key,
    )  # fmt: skip
    try:
        channel = open_channel(connection, grpc.aio)
    except OSError as error:
        raise Misconfigured(f"TLS: {error.filename}: {error.strerror}.") from None
    async with channel:
        service = runs_pb2_grpc.RunServiceStub(channel)

        def call(method: str, **fields: Any) -> Any:
            request = getattr(runs_pb2, f"{method}Request")(**fields)
            return getattr(service, method)(request, metadata=connection.metadata)

        with typed_errors():
            yield call


def _print_status(run: runs_pb2.RunStatus) -> None:
    """Prints a run in one line."""
    ends = f"selected {run.selected} abstained {run.abstained} dropped {sum(run.dropped.values())}"
    progress = f"iteration {run.iteration}: {ends} of {run.briefs}; pass@1 {_pass_at_1(run)}"
    line = f"{run.id} {state_name(run.state)} {progress} {run.reason}".rstrip()
    Console().print(line, highlight=False, soft_wrap=True)


def _pass_at_1(run: runs_pb2.RunStatus) -> str:
    """Returns the pass@1 of every checkpoint of the loop so far, the base model first."""
    scores = [pass_at_1(evaluation, "benchmark") for evaluation in loop_evaluations(run.evaluations).values()]
    return " -> ".join(f"{100 * score.value:.1f}%" for score in scores if score) or "-"
