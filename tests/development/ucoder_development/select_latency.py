"""Measures how long a caller of Select waits, and how much of that is not execution, by calls of Execute in turn."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import grpc
import numpy as np

from ucoder.cli.shared.embedded_services import consensus_service
from ucoder.v1 import artifacts_pb2 as pb
from ucoder.v1 import consensus_pb2, consensus_pb2_grpc, sandbox_pb2, sandbox_pb2_grpc

PROGRAMS, TESTS, BEHAVIOURS = 128, 100, 24
MAX_MESSAGE_BYTES = 64 << 20


@dataclass(frozen=True)
class SelectLatency:
    """The times of calls one after another, each with new programs, through a socket of this machine."""

    programs: int
    tests: int
    rounds: int
    select_p50: float
    """In seconds, as the next two."""
    select_p99: float
    execute_p50: float
    added: float
    """Median over the rounds of the time that Select takes more than Execute, as a share of Execute's."""
    selecting: float
    """Median share of Select's time that it spent selecting, by its own clock: `added` without the noise."""

    def summary(self) -> str:
        """Returns the numbers as one line."""
        return (
            f"Select of {self.programs} programs x {self.tests} tests, {self.rounds} calls: p50"
            f" {self.select_p50:.2f} s, p99 {self.select_p99:.2f} s; Execute alone {self.execute_p50:.2f} s: Select"
            f" adds {100 * self.added:+.1f}%; by its own clock selecting takes {100 * self.selecting:.1f}% of it"
        )


async def measure_select(rounds: int, isolation: str | None = None, cells: int | None = None) -> SelectLatency:
    """Calls Select and Execute in turns: each goes first in every second round. A first round is not counted."""
    times = []
    async with consensus_service(None, isolation, cells) as address:
        options = [
            ("grpc.max_send_message_length", MAX_MESSAGE_BYTES),
            ("grpc.max_receive_message_length", MAX_MESSAGE_BYTES),
        ]
        async with grpc.aio.insecure_channel(address, options) as channel:
            consensus = consensus_pb2_grpc.ConsensusServiceStub(channel)
            sandbox = sandbox_pb2_grpc.SandboxServiceStub(channel)
            for number in range(rounds + 1):
                calls = [_select(consensus, f"{number} s"), _execute(sandbox, f"{number} e")]
                pair = [await call for call in (calls if number % 2 else reversed(calls))]
                times.append(pair if number % 2 else pair[::-1])
    select, execute = np.array([pair[0] for pair in times[1:]]), np.array([pair[1] for pair in times[1:]])
    return SelectLatency(
        programs=PROGRAMS,
        tests=TESTS,
        rounds=rounds,
        select_p50=float(np.median(select[:, 0])),
        select_p99=float(np.quantile(select[:, 0], 0.99)),
        execute_p50=float(np.median(execute[:, 0])),
        added=float(np.median(select[:, 0] / execute[:, 0])) - 1,
        selecting=float(np.median(select[:, 1] / select[:, 0])),
    )


async def _select(stub: Any, mark: str) -> tuple[float, float]:
    """Returns the seconds of a call, and those that it spent selecting."""
    request = consensus_pb2.SelectRequest(programs=_programs(mark), tests=_tests(), entry_point="f")
    started = time.perf_counter()
    answer = await stub.Select(request)
    return time.perf_counter() - started, answer.cost.selection_seconds


async def _execute(stub: Any, mark: str) -> tuple[float, float]:
    request = sandbox_pb2.ExecuteRequest(programs=_programs(mark), tests=_tests(), entry_point="f")
    started = time.perf_counter()
    async for _ in stub.Execute(request):
        pass
    return time.perf_counter() - started, 0.0


def _programs(mark: str) -> Sequence[str]:
    """Returns distinct texts of a few behaviours, the commonest first; `mark` makes them new to the sandbox's cache."""
    kinds = np.random.default_rng(0).zipf(1.5, PROGRAMS) % BEHAVIOURS
    loop = "    for i in range(x):\n        if i % 3 == {0} % 3:\n            total += i\n"
    body = f"    total = 0\n{loop}    return total - {{0}}\n"
    return [f"def f(x):\n{body.format(kind)}\n# {mark} {i}\n" for i, kind in enumerate(kinds)]


def _tests() -> Sequence[pb.TestCase]:
    return [pb.TestCase(code=f"assert f({x}) == {sum(range(0, x, 3))}") for x in range(TESTS)]
