"""`ucoder run`: the whole loop in one folder, on the embedded default."""

import asyncio
import contextlib
import fcntl
import shutil
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import grpc
from rich.console import Console

from ucoder.cli.shared.run_progress import RunProgress
from ucoder.core.selection import STRATEGIES
from ucoder.errors import Misconfigured, Retry, of_call
from ucoder.evaluator.benchmarks import load
from ucoder.evaluator.benchmarks.separation import separate
from ucoder.flow import SERVICES
from ucoder.generator.known_tasks import known_tasks
from ucoder.models.prompts import Prompts
from ucoder.runs import run_config as run_config
from ucoder.runs.report import write_report
from ucoder.runs.run_to_checkpoint import base_path
from ucoder.runtime import log, settings
from ucoder.runtime.app import serving
from ucoder.runtime.atomic import write_text
from ucoder.runtime.messaging.nats_server import nats_server
from ucoder.v1 import config_pb2, runs_pb2, runs_pb2_grpc

RUN = "run"
NEEDED_MB = 300  # what a small run writes; with less a full disk is certain
SPARE_MB = 30  # where a run stops by itself: the bus and the store must still be able to write down where they are


async def main(*, config: Path | None, preset: str | None, out: Path | None, resume: bool, seed: int | None) -> None:
    """Starts or resumes a run and reports. Ends with code 0 when it succeeded, 1 when it failed, 130 on Ctrl-C."""
    started = time.monotonic()
    chosen, folder = _choose(config, preset, out, resume, seed)
    _check(chosen)
    console = Console()
    with _locked(folder):
        prepared = settings.load(
            store_url=f"file://{folder / 'store'}",
            cache_dir=folder / "work",
            listen="127.0.0.1:0",
            peers="",
            web_listen="127.0.0.1:0",
        )
        with (folder / "log.jsonl").open("a") as stream:
            log.configure(prepared.model_copy(update={"log_format": "json"}), stream)
            status = await _drive(prepared, folder, chosen, console)
    if status is None:
        console.print(f"stopped; go on with: ucoder run --resume --out {folder}")
        raise KeyboardInterrupt
    if status.state != runs_pb2.RUN_STATE_SUCCEEDED:
        raise Retry(f"run ended: {status.reason} (log: {folder / 'log.jsonl'})")
    console.print(f"report: {folder / 'report.html'}  ({time.monotonic() - started:.0f} s)")


async def _drive(
    prepared: settings.Settings, folder: Path, config: config_pb2.RunConfig, console: Console
) -> runs_pb2.RunStatus | None:
    """Serves everything while the run is watched; None when the user stopped it."""
    stop = asyncio.Event()
    for sign in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(sign, stop.set)
    async with (
        nats_server(folder / "bus") as url,
        serving(prepared.model_copy(update={"nats_url": url}), SERVICES) as context,
        grpc.aio.insecure_channel(context.address) as channel,
    ):
        runs = runs_pb2_grpc.RunServiceStub(channel)
        try:
            created = await runs.CreateRun(runs_pb2.CreateRunRequest(id=RUN, config=config))
            if created.status.state in (runs_pb2.RUN_STATE_FAILED, runs_pb2.RUN_STATE_CANCELLED):
                await runs.ResumeRun(runs_pb2.ResumeRunRequest(id=RUN))
        except grpc.aio.AioRpcError as error:
            raise Misconfigured(error.details()) from None
        console.print(f"watch it at {context.web}", highlight=False)
        watching = asyncio.create_task(_watch(runs, config, console))
        others = [asyncio.create_task(stop.wait()), asyncio.create_task(_disk_is_full(folder))]
        try:
            await asyncio.wait({watching, *others}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (*others, watching):
                task.cancel()
            await asyncio.gather(*others, watching, return_exceptions=True)
        if others[1].done() and not others[1].cancelled():
            raise Misconfigured(f"{folder}: the disk is full; make room and go on with --resume --out {folder}")
        if watching.cancelled():
            return None
        status = watching.result()
        if status.state == runs_pb2.RUN_STATE_SUCCEEDED:
            await write_report(context.artifacts, RUN, folder)
        return status


async def _disk_is_full(folder: Path) -> None:
    """Returns when the disk is nearly full: before anything is written in part."""
    while True:
        if shutil.disk_usage(folder).free >> 20 <= SPARE_MB:
            return
        await asyncio.sleep(1)


async def _watch(
    runs: "runs_pb2_grpc.RunServiceAsyncStub", config: config_pb2.RunConfig, console: Console
) -> runs_pb2.RunStatus:
    """Shows how far the run is until it has ended."""
    status = runs_pb2.RunStatus()
    with RunProgress(console, config) as progress:
        while True:
            try:
                async for answer in runs.WatchRun(runs_pb2.WatchRunRequest(id=RUN)):
                    status = answer.status
                    progress.show(status)
                return status
            except grpc.aio.AioRpcError as error:
                if error.code() != grpc.StatusCode.DEADLINE_EXCEEDED:
                    raise of_call(error) from None


def _choose(
    config: Path | None, preset: str | None, out: Path | None, resume: bool, seed: int | None
) -> tuple[config_pb2.RunConfig, Path]:
    """The configuration and the folder; the folder keeps the configuration, so resuming needs no other flag."""
    if resume:
        if out is None:
            raise Misconfigured("--resume needs --out, the folder of the run to go on with.")
        kept = out / "config.yaml"
        if not kept.is_file():
            raise Misconfigured(f"{out} holds no run: config.yaml is missing; leave out --resume to start one there.")
        return run_config.load(kept), out.resolve()
    chosen = run_config.load(config, preset, {"seed": seed} if seed is not None else None)
    folder = (out or Path("runs") / f"{preset or (config.stem if config else 'run')}-{chosen.seed}").absolute()
    if (folder / "config.yaml").exists():
        raise Misconfigured(f"{folder} holds a run already; add --resume to go on with it, or choose another --out.")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        write_text(folder / "config.yaml", run_config.dump(chosen))
    except OSError as error:
        raise Misconfigured(f"--out {folder}: {error.strerror}; choose a folder that can be written.") from None
    return chosen, folder


def _check(config: config_pb2.RunConfig) -> None:
    """What can be known to be wrong before anything starts. Misconfigured naming the key."""
    base_path(config.model.base)
    Prompts.load(config.model.profile)
    if config.problems.scripts:
        Prompts.load(config.model.profile, script=True)
    for _ in known_tasks(config.problems.decontaminate):
        pass  # read to its end: a file that cannot be read is known now, not brief by brief
    asked = config.evaluation
    separate(load(asked.benchmark, asked.benchmark_format), load(asked.dev, asked.dev_format, dev=True))
    if config.selection.strategy not in {"default", *STRATEGIES}:
        known = ", ".join(["default", *STRATEGIES])
        raise Misconfigured(f"selection.strategy: no {config.selection.strategy}; there are {known}.")


@contextlib.contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Holds the run folder: two programs in one would undo each other."""
    free = shutil.disk_usage(folder).free >> 20
    if free < NEEDED_MB:
        raise Misconfigured(f"{folder}: {free} MB free, a run needs {NEEDED_MB}; make room or choose another --out.")
    with (folder / "lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Misconfigured(f"{folder} is in use by another ucoder run.") from None
        yield
