"""Measures what grows with the number of briefs: the memory of the bus, the time of a status, the memory of a sealing.

Every brief is announced and acknowledged once, and counted at every stage, as the services do it; its stages themselves
do not run. The endings are then sealed as one dataset. The figures after a tenth of the briefs stand beside those after
all of them.
"""

import asyncio
import json
import resource
import tempfile
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path

from rich.console import Console
from rich.table import Table

from ucoder.consensus.consensus_to_dataset import run as seal
from ucoder.consensus.service import Service
from ucoder.runs.run_config import load
from ucoder.runs.run_status import StatusReader
from ucoder.runtime.context import ServiceContext
from ucoder.runtime.messaging.bus import STREAM
from ucoder.runtime.messaging.count_chunks import MADE, STAGES
from ucoder.runtime.messaging.nats_server import nats_server
from ucoder.runtime.messaging.running_counts import COUNTS_BUCKET
from ucoder.runtime.settings import Settings
from ucoder.v1 import artifacts_pb2 as pb

RUN, AT_ONCE, READS = "growth", 500, 20


@dataclass(frozen=True, slots=True)
class Growth:
    """The figures after a number of briefs."""

    briefs: int
    bus_mb: float
    """Resident memory of the NATS server."""
    stream_messages: int
    counts_kb: float
    """What the bus keeps for the counts."""
    status_ms: float
    """The median time of one status of the run."""
    briefs_per_second: float
    seal_seconds: float
    seal_mb: float
    """The highest resident memory of this process, which seals."""


async def measure_and_print(briefs: int, sealed: int, store: str, endpoint: str, *, as_json: bool) -> None:
    """Measures and prints. `sealed`: how many endings are stored and sealed, which takes the most time."""
    found = []
    with tempfile.TemporaryDirectory(prefix="ucoder-growth-") as name:
        folder = Path(name)
        async with nats_server(folder / "nats") as url:
            settings = Settings(
                nats_url=url, store_url=store or f"file://{folder}/store", store_endpoint=endpoint,
                cache_dir=folder / "cache", web_listen="",
            )  # fmt: skip
            async with ServiceContext.open(settings, ()) as context:
                run = pb.Run(id=RUN, format=1, config=load(None, "demo", {"loop": {"briefs": briefs}}))
                await context.artifacts.save(RUN, run)
                await context.artifacts.save(RUN, pb.Iteration(run=RUN, index=1, decision=pb.DECISION_CONTINUE))
                await context.states.begin(RUN)
                done = 0
                for total, ends in ((briefs // 10, sealed // 10), (briefs, sealed)):
                    started = time.perf_counter()
                    await _feed(context, range(done, total))
                    speed = (total - done) / (time.perf_counter() - started)
                    done = total
                    seconds = await _seal(context, run, f"sealed-{ends}", ends)
                    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
                    bus_mb = _memory_mb(folder)
                    found.append(Growth(total, bus_mb, *await _bus_state(context), *await _status(context, run), speed,
                                        seconds, peak))  # fmt: skip
    if as_json:
        print(json.dumps([asdict(one) for one in found], indent=2))
        return
    table = Table("", *(f"after {one.briefs:,}" for one in found))
    for field in list(asdict(found[0]))[1:]:
        table.add_row(field, *(f"{getattr(one, field):.4g}" for one in found))
    Console().print(table)


async def _feed(context: ServiceContext, numbers: range) -> None:
    """Announces, acknowledges and counts briefs."""
    queue = await context.bus.jetstream.pull_subscribe_bind("brief_to_problem", STREAM)
    left = iter(numbers)
    while names := [f"001-{number:06d}" for number in islice(left, AT_ONCE)]:
        refs = [pb.Ref(kind="brief", run=RUN, name=name, sha256="0" * 64) for name in names]
        await asyncio.gather(*map(context.bus.publish, refs))
        taken = 0
        while taken < len(names):
            messages = await queue.fetch(len(names) - taken, timeout=10)
            await asyncio.gather(*(message.ack() for message in messages))
            taken += len(messages)
        await asyncio.gather(
            *(
                context.counts.record(RUN, name, stage, {MADE: 1, **({"selected": 1} if stage == "consensus" else {})})
                for name in names
                for stage in STAGES
            )
        )


async def _seal(context: ServiceContext, run: pb.Run, name: str, count: int) -> float:
    """Stores the endings of a run of its own and seals them; returns the seconds of the sealing."""
    run = pb.Run(id=name, format=1, config=run.config)
    run.config.loop.briefs = count
    run.config.loop.control = False
    made, last = _endings(name, count), pb.Consensus()
    while batch := list(islice(made, AT_ONCE)):
        refs = await asyncio.gather(*(context.artifacts.save(name, one) for one in batch))
        await asyncio.gather(*(context.counts.record(name, ref.name, "consensus", {MADE: 1}) for ref in refs))
        last = batch[-1]
    started = time.perf_counter()
    assert await seal(Service(context), last, run)
    return time.perf_counter() - started


def _endings(run: str, count: int) -> Iterator[pb.Consensus]:
    for number in range(count):
        brief = pb.Brief(run=run, iteration=1, number=number, domain="numbers", difficulty=1 + number % 5)
        prompt = f'def f{number}(x: int) -> int:\n    """Adds {number} to x."""\n'
        body = "".join(f"    x = x + {number}  # step {step}\n" for step in range(12)) + "    return x\n"
        chosen = pb.Candidate(completion=body, program=prompt + body, finish="stop")
        yield pb.Consensus(
            brief=brief, ending=pb.ENDING_SELECTED, stage="consensus", selected=chosen, random=chosen,
            problem=pb.Problem(brief=brief, prompt=prompt, entry_point=f"f{number}", rating=1 + number % 4),
            clusters=[pb.Cluster(members=range(96), share=0.75), pb.Cluster(members=range(96, 128), share=0.25)],
            confidence=0.9, margin=0.5,
        )  # fmt: skip


async def _bus_state(context: ServiceContext) -> tuple[int, float]:
    stream = (await context.bus.jetstream.stream_info(STREAM)).state
    counts = (await context.bus.jetstream.stream_info(f"KV_{COUNTS_BUCKET}")).state
    return int(stream.messages), counts.bytes / 1024


async def _status(context: ServiceContext, run: pb.Run) -> tuple[float]:
    """Returns the median time of a status in ms."""
    reader, state, times = StatusReader(context.artifacts, context.counts), await context.states.get(RUN), []
    for _ in range(READS):
        started = time.perf_counter()
        assert (await reader.read(run, state)).selected
        times.append(time.perf_counter() - started)
    return (1000 * sorted(times)[READS // 2],)


def _memory_mb(folder: Path) -> float:
    """Returns the resident memory of the NATS server whose state lies in a folder."""
    for process in Path("/proc").glob("[0-9]*"):
        command = (process / "cmdline").read_bytes().split(b"\0") if (process / "cmdline").exists() else []
        if str(folder / "nats").encode() in command and command[0].endswith(b"nats-server"):
            line = next(line for line in (process / "status").read_text().splitlines() if line.startswith("VmRSS"))
            return int(line.split()[1]) / 1024
    raise AssertionError("no NATS server runs here")
