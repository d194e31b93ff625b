"""`ucoder bench scale`: measures sandbox-runner processes on a real NATS server.

It measures speed by replicas, lag under a stepped load with the autoscaler's formula replayed on it, losses when
runners are killed at random, and the limits of bus and store, from which it extrapolates beyond this machine.
"""

import asyncio
import json
import math
import os
import random
import statistics
import time
from dataclasses import asdict, dataclass
from typing import Any

from rich.console import Console
from rich.table import Table

from ucoder.core import values
from ucoder.core.outcomes import Outcome
from ucoder.runtime.messaging.bus import STREAM
from ucoder.runtime.messaging.count_chunks import MADE
from ucoder.runtime.messaging.dead_letters import DeadLetters
from ucoder.v1 import artifacts_pb2 as pb
from ucoder_development.autoscaler_replay import replay_autoscaler
from ucoder_development.scale_test_bed import CONCURRENCY, PROGRAMS, TESTS, ScaleTestBed

INFRA = pb.Outcome.Value(f"OUTCOME_{Outcome.INFRA_ERROR.upper()}")


@dataclass(frozen=True, slots=True)
class ReplicaSpeed:
    """The speed of some replicas: medians of the rounds.

    `efficiency` is the speed compared with that of one replica, per replica that has a core of its own.
    `per_core_second` is programs per second of processor time of the runners.
    """

    replicas: int
    programs_per_second: float
    efficiency: float
    per_core_second: float
    bus_core_share: float
    """The share of one core that the NATS server took meanwhile."""


async def measure_speeds(bed: ScaleTestBed, replicas: list[int], messages: int, rounds: int) -> list[ReplicaSpeed]:
    """Measures programs per second by number of runners, with all messages on the bus from the start.

    Every round measures every number, so that other work on this machine affects all of them alike.
    """
    measured: dict[int, list[tuple[float, float, float]]] = {count: [] for count in replicas}
    for number in range(rounds):
        for count in replicas:
            async with bed.runners(count) as running:
                warm = await bed.begin(f"warm-{number}-{count}", 2 * count)
                await asyncio.gather(*map(bed.bus.publish, warm))
                await bed.ended(f"warm-{number}-{count}", len(warm))
                run = f"speed-{number}-{count}"
                refs = await bed.begin(run, messages)
                used, bus = sum(one.seconds for one in running), bed.bus_seconds
                await asyncio.gather(*map(bed.bus.publish, refs))
                wall = await bed.ended(run, messages)
                used, bus = sum(one.seconds for one in running) - used, bed.bus_seconds - bus
                programs = messages * PROGRAMS
                measured[count].append((programs / wall, programs / used, bus / wall))
    medians = {count: [statistics.median(one) for one in zip(*all_, strict=True)] for count, all_ in measured.items()}
    first, *_ = medians[replicas[0]]
    found = []
    for count, (speed, per_core_second, bus) in medians.items():
        fair = first * min(count, len(bed.cores)) / min(replicas[0], len(bed.cores))
        found.append(ReplicaSpeed(count, speed, speed / fair, per_core_second, bus))
    return found


async def run_stepped_load(bed: ScaleTestBed, per_second: float, seconds: int) -> tuple[list[int], list[int]]:
    """Returns arrivals and lag by second, under a load of half, twice, then half of what two runners can do."""
    arrivals = [round(per_second * (2 if seconds // 3 <= at < 2 * seconds // 3 else 0.5)) for at in range(seconds)]
    refs = iter(await bed.begin("stepped", sum(arrivals)))
    lags = []
    async with bed.runners(2):
        async with asyncio.TaskGroup() as group:
            for count in arrivals:
                for _ in range(count):
                    group.create_task(bed.bus.publish(next(refs)))
                info = await bed.bus.jetstream.consumer_info(STREAM, "candidates_to_matrix")
                lags.append(int(info.num_pending or 0) + int(info.num_ack_pending or 0))
                await asyncio.sleep(1)
        await bed.ended("stepped", sum(arrivals))
    return arrivals, lags


async def kill_runners(bed: ScaleTestBed, messages: int, kills: int, seed: int) -> dict[str, int]:
    """Kills and replaces one of two runners at random moments, and counts rows that are lost, wrong or repeated.

    A matrix is named by its candidates and written once. So each row must be there once, with the outputs that its
    program gives here.
    """
    chance = random.Random(seed)
    refs = await bed.begin("killed", messages)
    async with bed.runners(2) as running:
        await asyncio.gather(*map(bed.bus.publish, refs))
        for done in sorted(chance.sample(range(messages - 2 * CONCURRENCY), kills)):
            await bed.ended("killed", done)
            await asyncio.sleep(chance.uniform(0, 0.5))
            victim = chance.randrange(2)
            await running[victim].end(kill=True)
            running[victim] = await bed.runner(victim)
        await bed.ended("killed", messages)
    rows, wrong, infra = 0, 0, 0
    for number, ref in enumerate(refs):
        matrix = await bed.artifacts.get(pb.Matrix, "killed", ref.name)  # raises when it is missing or incomplete
        rows += len({row.program for row in matrix.rows})
        infra += sum(INFRA in row.outcomes for row in matrix.rows)
        expected = [_outputs(source) for source in bed.sources("killed", number)]
        wrong += sum(list(row.outputs) != expected[row.program] for row in matrix.rows)
    return {
        "kills": kills,
        "messages": messages,
        "rows_lost": messages * PROGRAMS - rows,
        "rows_wrong": wrong,
        "counted_twice": (await bed.counts.sums("killed", 1, "matrix"))[MADE] - messages,
        "infra_errors": infra,
        "dead_letters": len(await DeadLetters(bed.bus).all()),
    }


def _outputs(source: str) -> list[str]:
    """Returns the outputs of one of our own programs."""
    space: dict[str, Any] = {}
    exec(source, space)
    return [values.canonical(space["f"](number)) for number in range(TESTS)]


async def measure_limits(bed: ScaleTestBed, count: int) -> dict[str, float]:
    """Measures how many messages one client can publish, and take and acknowledge, in a second, also per core of the
    bus; and how many matrices it can write.
    """
    refs = [pb.Ref(kind="brief", run="limits", name=f"001-{number:06d}", sha256="0" * 64) for number in range(count)]
    started, bus = time.perf_counter(), bed.bus_seconds
    for at in range(0, count, 256):
        await asyncio.gather(*map(bed.bus.publish, refs[at : at + 256]))
    announced, bus_announced = time.perf_counter(), bed.bus_seconds
    taken = await bed.bus.jetstream.pull_subscribe_bind("brief_to_problem", STREAM)
    left = count
    while left:
        batch = await taken.fetch(min(256, left))
        await asyncio.gather(*(message.ack() for message in batch))
        left -= len(batch)
    acknowledged, bus_acknowledged = time.perf_counter(), bed.bus_seconds
    data, puts = os.urandom(100_000), max(16, count // 20)
    await asyncio.gather(*(bed.artifacts.store.create(f"limits/{number}", data) for number in range(puts)))
    written = time.perf_counter()
    return {
        "announced": count / (announced - started),
        "announced_per_bus_core": count / max(0.01, bus_announced - bus),
        "taken_and_acknowledged": count / (acknowledged - announced),
        "taken_and_acknowledged_per_bus_core": count / max(0.01, bus_acknowledged - bus_announced),
        "written_100_kb": puts / (written - acknowledged),
    }


def extrapolate(
    speed: float, capacity: dict[str, float], wanted: float = 100_000, candidates: int = 128
) -> dict[str, float]:
    """Calculates what `wanted` programs per second need, in units of what was measured here."""
    briefs = wanted / candidates
    return {
        "programs_per_second": wanted,
        "cells": math.ceil(wanted / speed),
        "messages_per_second": 5 * briefs,
        "bus_cores": 5
        * briefs
        * (1 / capacity["announced_per_bus_core"] + 1 / capacity["taken_and_acknowledged_per_bus_core"]),
        "most_programs_of_one_bus_core": candidates
        / 5
        / (1 / capacity["announced_per_bus_core"] + 1 / capacity["taken_and_acknowledged_per_bus_core"]),
        "announcing_clients": 5 * briefs / capacity["announced"],
        "consumer_share_of_one_client": briefs / capacity["taken_and_acknowledged"],
        "store_writers": 5 * briefs / capacity["written_100_kb"],
    }


async def measure_and_print(
    replicas: tuple[int, ...] = (1, 2, 4, 8), messages: int = 60, seconds: int = 30, isolation: str = "auto",
    loops: int = 20_000, seed: int = 1, rounds: int = 3, as_json: bool = False,
) -> None:  # fmt: skip
    """Measures and prints. `loops`: how long each test computes; with 0 the bus and the forks are measured."""
    console = Console()
    async with ScaleTestBed.open(isolation, loops) as bed:
        with console.status("measuring speed by replicas") as status:
            found = await measure_speeds(bed, list(replicas), messages, rounds)
            status.update("measuring the limits of bus and store")
            capacity = await measure_limits(bed, 4000)
            pair = next((one for one in found if one.replicas == 2), found[-1]).programs_per_second / PROGRAMS
            status.update("measuring lag under a stepped load")
            arrivals, lags = await run_stepped_load(bed, pair, seconds)
            scaled = replay_autoscaler(arrivals, pair / 2, 2 * CONCURRENCY, start=10, most=8)
            status.update("killing runners at random")
            losses = await kill_runners(bed, messages, kills=messages // 6, seed=seed)
    report: dict[str, Any] = {
        "cores": len(os.sched_getaffinity(0)), "speeds": [asdict(one) for one in found], "arrivals": arrivals,
        "lag": lags, "replay": asdict(scaled), "killed": losses, "limits": capacity,
        "beyond": extrapolate(found[0].programs_per_second, capacity),
    }  # fmt: skip
    if as_json:
        print(json.dumps(report, indent=2))
        return
    table = Table(title=f"{report['cores']} cores, each runner kept on one; {TESTS} tests each, median of {rounds}")
    for column in ("replicas", "programs/s", "efficiency", "per core second", "bus: cores"):
        table.add_column(column, justify="right")
    for one in found:
        table.add_row(
            str(one.replicas), f"{one.programs_per_second:.0f}", f"{one.efficiency:.2f}", f"{one.per_core_second:.0f}",
            f"{one.bus_core_share:.2f}",
        )  # fmt: skip
    console.print(table)
    for name in ("arrivals", "lag"):
        console.print(f"{name}, messages by second:", *report[name], highlight=False)
    for name in ("replay", "killed", "limits", "beyond"):
        lines = (f"  {key.replace('_', ' ')}: {round(value, 2):,}" for key, value in report[name].items())
        console.print(f"{name}:", *lines, sep="\n", highlight=False)
