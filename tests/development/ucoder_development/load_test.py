"""`ucoder bench load`: sends a whole iteration of briefs through every service and the real bus, with a scripted model,
and many Select calls at once from two callers, one of whom floods the service.
"""

import asyncio
import json
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import grpc
from rich.console import Console
from rich.table import Table

from ucoder.cli.shared.plot_file import check_plot_file
from ucoder.cli.shared.progress_bar import progress_bar
from ucoder.flow import FLOW
from ucoder.runs.run_config import load
from ucoder.runtime.messaging.bus import Bus
from ucoder.runtime.messaging.count_chunks import MADE
from ucoder.runtime.messaging.nats_server import nats_server
from ucoder.runtime.messaging.running_counts import RunningCounts
from ucoder.runtime.settings import Settings
from ucoder.runtime.storage.artifacts import SUFFIX
from ucoder.runtime.storage.store import Store
from ucoder.v1 import artifacts_pb2 as pb
from ucoder.v1 import config_pb2, consensus_pb2, consensus_pb2_grpc, runs_pb2, runs_pb2_grpc
from ucoder_development import memory_growth
from ucoder_development.fleet import ServiceFleet
from ucoder_development.seed_benchmark import evaluation_of_few_tasks

RUN = "r"
SERVICES = ("runs", "generator", "test_synth", "sandbox_runner", "consensus", "evaluator")
SAMPLE_SECONDS = 5.0
"""Seconds between two samples of the services' memory."""
TOKENS = {"flood": "flood-0123456789", "steady": "steady-0123456789"}
PROGRAMS = [f"def f(x):\n    return x + {n % 3}\n" for n in range(8)]


@dataclass(frozen=True, slots=True)
class ArrowTimes:
    """Quantiles of the seconds between the writing of an arrow's source and of its product."""

    arrow: str
    briefs: int
    p50: float
    p99: float


@dataclass(frozen=True, slots=True)
class CallerTimes:
    """The statuses of one caller's calls, and quantiles of the seconds of those that were answered."""

    caller: str
    calls: int
    statuses: dict[str, int]
    p50: float
    p99: float


async def measure_and_print(briefs: int, calls: int, isolation: str, *, plot: Path | None, as_json: bool) -> None:
    """Prints briefs per second, time by arrow, memory by service, and the callers' times. `plot`: draws the memory."""
    check_plot_file(plot)
    with tempfile.TemporaryDirectory(prefix="ucoder-load-") as name:
        folder = Path(name)
        tokens = folder / "tokens"
        tokens.write_text("".join(f"{caller}:{token}\n" for caller, token in TOKENS.items()))
        async with nats_server(folder / "nats") as url:
            settings = {
                "NATS_URL": url,
                "STORE_URL": f"file://{folder}/store",
                "CACHE_DIR": f"{folder}/cache",
                "ISOLATION": isolation,
            }
            async with ServiceFleet.open(folder, settings, SERVICES) as fleet:
                seconds, taken = await _briefs(fleet, folder, url, briefs)
            services = [memory_growth.memory_growth_of(taken, name, briefs) for name in SERVICES]
            if plot:
                memory_growth.draw_memory(plot, taken, SERVICES, "briefs")
            arrows = await _arrows(Store(Settings(store_url=settings["STORE_URL"])))
            # services send no token to each other, so only the service that the callers call asks for one
            async with ServiceFleet.open(folder, settings, ("sandbox_runner",)) as behind:
                peers = {"PEERS": f"sandbox_runner={behind.address('sandbox_runner')}"}
                limited = {**settings, **peers, "TOKENS_FILE": str(tokens), "MAX_CALLS": "128", "MAX_CALLS_EACH": "64"}
                async with ServiceFleet.open(folder, limited, ("consensus",)) as front:
                    callers = await _calls(front.address("consensus"), calls)
    if as_json:
        found = {
            "briefs_per_second": briefs / seconds,
            "arrows": [asdict(one) for one in arrows],
            "services": [asdict(one) | {"growth": one.share} for one in services],
            "memory": [asdict(one) for one in taken],
            "callers": [asdict(one) for one in callers],
        }
        print(json.dumps(found, indent=2))
        return
    _show(briefs, seconds, arrows, services, callers)


async def _briefs(
    fleet: ServiceFleet, folder: Path, url: str, briefs: int
) -> tuple[float, list[memory_growth.MemorySample]]:
    """Returns the seconds from the first brief to the last ending, and samples of each service."""
    bus = await Bus.connect(Settings(nats_url=url))
    async with grpc.aio.insecure_channel(fleet.address("runs")) as channel:
        runs = runs_pb2_grpc.RunServiceStub(channel)
        await runs.CreateRun(runs_pb2.CreateRunRequest(id=RUN, config=_config(folder, briefs)))
        taken: list[memory_growth.MemorySample] = []
        started, sampled = None, -SAMPLE_SECONDS
        counts = await RunningCounts.open(bus)
        with progress_bar("sending", briefs, "briefs") as advance:
            shown = 0
            while (ended := (await counts.sums(RUN, 1, "consensus"))[MADE]) < briefs:
                status = (await runs.GetRun(runs_pb2.GetRunRequest(id=RUN))).status if not ended else None
                if status and status.state != runs_pb2.RUN_STATE_RUNNING:
                    raise AssertionError(f"the run ended: {status.reason}")
                started = started or (time.monotonic() if (await counts.sums(RUN, 1, "brief"))[MADE] else None)
                if time.monotonic() - sampled > SAMPLE_SECONDS:
                    sampled = time.monotonic()
                    taken += memory_growth.take_samples(fleet, ended)
                if ended > shown:
                    advance(ended - shown)
                    shown = ended
                await asyncio.sleep(0.5)
        seconds = time.monotonic() - (started or time.monotonic())
        taken += memory_growth.take_samples(fleet, briefs)
        await runs.CancelRun(runs_pb2.CancelRunRequest(id=RUN, reason="measured"))
    await bus.close()
    return seconds, taken


def _config(folder: Path, briefs: int) -> config_pb2.RunConfig:
    """Returns a configuration with few candidates and tests, because the transport is measured and not the work."""
    changes = {
        "loop": {"briefs": briefs, "iterations": 1, "control": False},
        "candidates": {"n": 4, "adaptive": False},
        "tests": {"samples": 1, "keep": 5, "require": 1},
        "evaluation": evaluation_of_few_tasks(folder, 40),
    }
    return load(None, "demo", changes)


async def _arrows(store: Store) -> list[ArrowTimes]:
    """Returns the times of each arrow of a brief, from when its artefacts were written."""
    written = {
        kind: {
            key.rsplit("/", 1)[-1].removesuffix(SUFFIX): when
            for key, when in (await store.written_times(f"{RUN}/{kind}")).items()
        }
        for kind in ("brief", "problem", "tests", "candidates", "matrix", "consensus")
    }
    found = []
    for arrow in FLOW:
        if arrow.source in written and arrow.product in written:
            source, product = written[arrow.source], written[arrow.product]
            spans = sorted(product[name] - source[name] for name in source.keys() & product.keys())
            found.append(ArrowTimes(arrow.name, len(spans), _quantile(spans, 0.5), _quantile(spans, 0.99)))
    return found


async def _calls(address: str, count: int) -> list[CallerTimes]:
    """Makes all calls at once, nine of ten by one caller. Nobody retries, so that refusals are counted."""
    async with grpc.aio.insecure_channel(address) as channel:
        stub = consensus_pb2_grpc.ConsensusServiceStub(channel)

        async def call(caller: str, number: int) -> tuple[str, str, float]:
            programs = [f"# {caller} {number}\n{one}" for one in PROGRAMS]
            request = consensus_pb2.SelectRequest(
                programs=programs, tests=[pb.TestCase(code=f"f({n})") for n in range(5)], entry_point="f"
            )
            started = time.monotonic()
            try:
                await stub.Select(request, metadata=(("authorization", f"Bearer {TOKENS[caller]}"),), timeout=120)
                status = "OK"
            except grpc.aio.AioRpcError as error:
                status = error.code().name
            return caller, status, time.monotonic() - started

        steady = max(1, count // 10)
        answers = await asyncio.gather(
            *(call("flood", number) for number in range(count - steady)),
            *(call("steady", number) for number in range(steady)),
        )
    found = []
    for caller in TOKENS:
        mine = [(status, seconds) for who, status, seconds in answers if who == caller]
        answered = sorted(seconds for status, seconds in mine if status == "OK")
        statuses = dict(Counter(status for status, _ in mine))
        found.append(CallerTimes(caller, len(mine), statuses, _quantile(answered, 0.5), _quantile(answered, 0.99)))
    return found


def _quantile(ordered: Sequence[float], share: float) -> float:
    """Returns a quantile of ordered values; 0 where there is none."""
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else 0.0


def _show(
    briefs: int,
    seconds: float,
    arrows: list[ArrowTimes],
    services: list[memory_growth.MemoryGrowth],
    callers: list[CallerTimes],
) -> None:
    console = Console()
    console.print(f"{briefs} briefs in {seconds:.0f} s: {briefs / seconds:.1f} a second", highlight=False)
    table = Table("arrow", "briefs", "p50 s", "p99 s")
    for one in arrows:
        table.add_row(one.arrow, str(one.briefs), f"{one.p50:.2f}", f"{one.p99:.2f}")
    console.print(table)
    table = Table("service", "MB warm", "MB at the end", "growth", "descriptors warm", "at the end")
    for row in services:
        table.add_row(
            row.service, f"{row.warm_mb:.0f}", f"{row.end_mb:.0f}", f"{row.share:+.1%}", str(row.warm_descriptors),
            str(row.end_descriptors),
        )  # fmt: skip
    console.print(table)
    table = Table("caller", "calls at once", "statuses", "p50 s", "p99 s")
    for each in callers:
        words = ", ".join(f"{name} {count}" for name, count in sorted(each.statuses.items()))
        table.add_row(each.caller, str(each.calls), words, f"{each.p50:.2f}", f"{each.p99:.2f}")
    console.print(table)
