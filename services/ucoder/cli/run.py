"""`ucoder run`: runs the whole loop in one folder, with its own bus, store, services and sandbox."""

import asyncio
import contextlib
import fcntl
import shutil
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import grpc
from rich.console import Console
from typer import Option

from ucoder.cli.shared.options import RUN, ConfigFlag, PresetFlag
from ucoder.cli.shared.run_progress import RunProgress
from ucoder.core.selection import STRATEGIES
from ucoder.errors import Misconfigured, Retry, of_call
from ucoder.evaluator.benchmarks.dev_split import load_with_dev_split
from ucoder.flow import SERVICES
from ucoder.generator.known_tasks import known_tasks
from ucoder.models.prompts import Prompts
from ucoder.runs import run_config
from ucoder.runs.run_to_checkpoint import base_path
from ucoder.runtime import log
from ucoder.runtime.app import serving
from ucoder.runtime.atomic import write_text
from ucoder.runtime.messaging.nats_server import nats_server
from ucoder.runtime.settings import Settings, load
from ucoder.v1 import config_pb2, runs_pb2, runs_pb2_grpc

NEEDED_MB = 300
"""Free space that a run needs to start: a small run writes this much."""
RESERVE_MB = 30
"""Free space at which a run stops by itself, so that bus and store can still record their state."""
ACK_WAIT_SECONDS = 6.0
"""How long a message waits that a killed process of this run has left. No other process works here, so it is short."""


async def run(
    config: ConfigFlag = None,
    preset: PresetFlag = None,
    out: Annotated[Path | None, Option(help="Run folder. Default: runs/<preset>-<seed>.")] = None,
    resume: Annotated[bool, Option("--resume", help="Continue the run in --out where it stopped.")] = False,
    seed: Annotated[int | None, Option(min=0, help="Seed of every random choice.")] = None,
) -> None:
    """Runs the whole loop here: bus, sandbox, model, training and report in one folder.

    Stop it at any moment with Ctrl-C or kill it; `ucoder run --resume --out FOLDER` continues. It ends with code 0
    when the run succeeded, 1 when it failed and 130 after Ctrl-C.

    Example: `ucoder run --preset demo --seed 2`
    """
    started = time.monotonic()
    chosen, folder = _configuration_and_folder(config, preset, out, resume, seed)
    _check(chosen)
    console = Console()
    with _locked(folder):
        settings = load(
            store_url=f"file://{folder / 'store'}",
            cache_dir=folder / "work",
            listen="127.0.0.1:0",
            peers="",
            web_listen="127.0.0.1:0",
            ack_wait_seconds=ACK_WAIT_SECONDS,
        )
        with (folder / "log.jsonl").open("a") as stream:
            log.configure(settings.model_copy(update={"log_format": "json"}), stream)
            status = await _serve_and_watch(settings, folder, chosen, console)
    if status is None:
        console.print(f"stopped; continue with: ucoder run --resume --out {folder}")
        raise KeyboardInterrupt
    if status.state != runs_pb2.RUN_STATE_SUCCEEDED:
        raise Retry(f"run ended: {status.reason} (log: {folder / 'log.jsonl'})")
    console.print(f"report: {folder / 'report.html'}  ({time.monotonic() - started:.0f} s)")


async def _serve_and_watch(
    settings: Settings, folder: Path, config: config_pb2.RunConfig, console: Console
) -> runs_pb2.RunStatus | None:
    """Serves everything until the run has ended, and returns its status; None when the user stopped it."""
    from ucoder.runs.report import write_report  # needs matplotlib, which is in the extra [local] alone

    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with (
        nats_server(folder / "bus") as url,
        serving(settings.model_copy(update={"nats_url": url}), SERVICES) as context,
        grpc.aio.insecure_channel(context.address) as channel,
    ):
        service = runs_pb2_grpc.RunServiceStub(channel)
        try:
            created = await service.CreateRun(runs_pb2.CreateRunRequest(id=RUN, config=config))
            if created.status.state in (runs_pb2.RUN_STATE_FAILED, runs_pb2.RUN_STATE_CANCELLED):
                await service.ResumeRun(runs_pb2.ResumeRunRequest(id=RUN))
        except grpc.aio.AioRpcError as error:
            raise Misconfigured(error.details()) from None
        console.print(f"watch it at {context.web}", highlight=False)
        watching = asyncio.create_task(_watch(service, config, console))
        stopped, disk_full = asyncio.create_task(stop.wait()), asyncio.create_task(_wait_until_disk_is_full(folder))
        try:
            await asyncio.wait({watching, stopped, disk_full}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (stopped, disk_full, watching):
                task.cancel()
            await asyncio.gather(stopped, disk_full, watching, return_exceptions=True)
        if disk_full.done() and not disk_full.cancelled():
            raise Misconfigured(f"{folder}: the disk is full; make room and continue with --resume --out {folder}")
        if watching.cancelled():
            return None
        status = watching.result()
        if status.state == runs_pb2.RUN_STATE_SUCCEEDED:
            await write_report(context.artifacts, RUN, folder)
        return status


async def _wait_until_disk_is_full(folder: Path) -> None:
    """Returns when little space is left, before any write fails."""
    while _free_mb(folder) > RESERVE_MB:  # noqa: ASYNC110  (a disk announces nothing)
        await asyncio.sleep(1)


def _free_mb(folder: Path) -> int:
    return shutil.disk_usage(folder).free >> 20


async def _watch(
    service: "runs_pb2_grpc.RunServiceAsyncStub", config: config_pb2.RunConfig, console: Console
) -> runs_pb2.RunStatus:
    """Shows the progress of the run until it has ended, and returns its last status."""
    status, progress = runs_pb2.RunStatus(), RunProgress(console, config)
    with progress.live or contextlib.nullcontext():
        while True:
            try:
                async for answer in service.WatchRun(runs_pb2.WatchRunRequest(id=RUN)):
                    status = answer.status
                    progress.show(status)
                return status
            except grpc.aio.AioRpcError as error:
                if error.code() != grpc.StatusCode.DEADLINE_EXCEEDED:
                    raise of_call(error) from None


def _configuration_and_folder(
    config: Path | None, preset: str | None, out: Path | None, resume: bool, seed: int | None
) -> tuple[config_pb2.RunConfig, Path]:
    """Returns the configuration and the run folder. The folder keeps the configuration for a resumed run."""
    if resume:
        if out is None:
            raise Misconfigured("--resume needs --out, the folder of the run to continue.")
        kept = out / "config.yaml"
        if not kept.is_file():
            raise Misconfigured(f"{out} holds no run: config.yaml is missing; leave out --resume to start one there.")
        return run_config.load(kept), out.resolve()
    chosen = run_config.load(config, preset, {"seed": seed} if seed is not None else None)
    folder = (out or Path("runs") / f"{preset or (config.stem if config else 'run')}-{chosen.seed}").absolute()
    if (folder / "config.yaml").exists():
        raise Misconfigured(f"{folder} holds a run already; add --resume to continue it, or choose another --out.")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        write_text(folder / "config.yaml", run_config.dump(chosen))
    except OSError as error:
        raise Misconfigured(f"--out {folder}: {error.strerror}; choose a folder that can be written.") from None
    return chosen, folder


def _check(config: config_pb2.RunConfig) -> None:
    """Checks before anything starts what would fail later. Raises Misconfigured that names the key."""
    base_path(config.model.base)
    Prompts.load(config.model.profile)
    if config.problems.scripts:
        Prompts.load(config.model.profile, script=True)
    for _ in known_tasks(config.problems.decontaminate):
        pass  # reads each file to its end, so that an unreadable one fails now and not for every brief
    load_with_dev_split(config.evaluation)
    known = ("default", *STRATEGIES)
    if config.selection.strategy not in known:
        raise Misconfigured(f"selection.strategy: no {config.selection.strategy}; there are {', '.join(known)}.")


@contextlib.contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Locks the run folder against a second program. Misconfigured when it is in use or the disk is too full."""
    if (free := _free_mb(folder)) < NEEDED_MB:
        raise Misconfigured(f"{folder}: {free} MB free, a run needs {NEEDED_MB}; make room or choose another --out.")
    with (folder / "lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Misconfigured(f"{folder} is in use by another ucoder run.") from None
        yield
