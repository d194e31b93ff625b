"""Measures small questions of many callers at once: what they gain when programs of several callers share a fork."""

import asyncio
import itertools
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import grpc
import numpy as np

from ucoder.cli.shared.embedded_services import consensus_service
from ucoder.sandbox_runner.sandbox_job import Limits
from ucoder.v1 import artifacts_pb2 as pb
from ucoder.v1 import config_pb2, consensus_pb2, consensus_pb2_grpc

PROGRAMS, TESTS = 4, 5
TURN_SECONDS = 5.0
"""How long one way is measured before the other has its turn, so that a busy moment of the machine meets both."""


@dataclass(frozen=True)
class SmallSelects:
    """Answered calls for each second and their times, by way: with forks shared by callers, and without."""

    callers: int
    shared_rate: float
    alone_rate: float
    shared_p50: float
    """In seconds, as the next three."""
    shared_p99: float
    alone_p50: float
    alone_p99: float

    def summary(self) -> str:
        """Returns the numbers as two lines and their ratio."""
        return (
            f"Select of {PROGRAMS} new programs x {TESTS} tests, {self.callers} callers at once:\n"
            f"  callers share forks: {self.shared_rate:.1f} calls/s, p50 {1e3 * self.shared_p50:.0f} ms,"
            f" p99 {1e3 * self.shared_p99:.0f} ms\n"
            f"  each call has forks of its own: {self.alone_rate:.1f} calls/s, p50 {1e3 * self.alone_p50:.0f} ms,"
            f" p99 {1e3 * self.alone_p99:.0f} ms\n"
            f"  ratio {self.shared_rate / self.alone_rate:.2f}"
        )


async def measure_small_selects(
    callers: int, rounds: int, isolation: str | None = None, cells: int | None = None
) -> SmallSelects:
    """Measures both ways in turns, `rounds` times `TURN_SECONDS` each, on one service through a socket.

    Callers whose limits differ cannot share a fork: that is the other way.
    """
    times: dict[bool, list[float]] = {True: [], False: []}
    seconds = {True: 0.0, False: 0.0}
    numbers = itertools.count()
    async with consensus_service(None, isolation, cells) as address, grpc.aio.insecure_channel(address) as channel:
        stub = consensus_pb2_grpc.ConsensusServiceStub(channel)
        for turn in range(2 * rounds):
            shared = turn % 2 == 0
            started = time.perf_counter()
            until = started + TURN_SECONDS
            each = [_calls(stub.Select, until, numbers, 0 if shared else caller) for caller in range(1, callers + 1)]
            for measured in await asyncio.gather(*each):
                times[shared] += measured
            seconds[shared] += time.perf_counter() - started
    return SmallSelects(
        callers=callers,
        shared_rate=len(times[True]) / seconds[True],
        alone_rate=len(times[False]) / seconds[False],
        shared_p50=float(np.median(times[True])),
        shared_p99=float(np.quantile(times[True], 0.99)),
        alone_p50=float(np.median(times[False])),
        alone_p99=float(np.quantile(times[False], 0.99)),
    )


async def _calls(
    select: Callable[[consensus_pb2.SelectRequest], Awaitable[object]],
    until: float,
    numbers: "itertools.count[int]",
    caller: int,
) -> list[float]:
    """Calls one after another until a time, each with programs that the service has not seen; returns their seconds."""
    usual = Limits()
    limits = config_pb2.ExecutionConfig(
        cpu_seconds=usual.cpu_seconds,
        wall_seconds=usual.wall_seconds + caller / 1000,
        memory_mb=usual.memory_mb,
        give_up_after_timeouts=usual.give_up_after_timeouts,
    )
    tests = [pb.TestCase(code=f"assert f({x}) == {x * x + 1}") for x in range(TESTS)]
    times = []
    while (started := time.perf_counter()) < until:
        number = next(numbers)
        programs = [f"def f(x):\n    return x * x + {kind % 2}\n# {number} {kind}\n" for kind in range(PROGRAMS)]
        await select(consensus_pb2.SelectRequest(programs=programs, tests=tests, entry_point="f", limits=limits))
        times.append(time.perf_counter() - started)
    return times
