"""How long a caller of Select waits, and how much of that is not execution: the same programs by Execute beside it."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import grpc
import numpy as np

from ucoder.cli.shared.embedded_services import consensus_at
from ucoder.v1 import artifacts_pb2 as pb
from ucoder.v1 import consensus_pb2, consensus_pb2_grpc, sandbox_pb2, sandbox_pb2_grpc

PROGRAMS, TESTS, BEHAVIOURS = 128, 100, 24
LARGEST = 64 << 20


@dataclass(frozen=True)
class Latency:
    """Of calls one after another, each with programs that were never run before, through a socket of this machine."""

    programs: int
    tests: int
    rounds: int
    select_p50: float
    """Seconds, as the next two."""
    select_p99: float
    execute_p50: float
    added: float
    """Median over the rounds of what Select takes more than Execute, as a share of Execute."""
    selecting: float
    """Median share of Select's time that it spent selecting, by its own clock: what `added` is without noise."""


async def latency(rounds: int, isolation: str | None = None, cells: int | None = None) -> Latency:
    """Select and Execute take turns in who goes first; one round before the first is not counted."""
    found = []
    async with consensus_at(None, isolation, cells) as address:
        options = [("grpc.max_send_message_length", LARGEST), ("grpc.max_receive_message_length", LARGEST)]
        async with grpc.aio.insecure_channel(address, options) as channel:
            consensus = consensus_pb2_grpc.ConsensusServiceStub(channel)
            sandbox = sandbox_pb2_grpc.SandboxServiceStub(channel)
            for number in range(rounds + 1):
                calls = [_select(consensus, f"{number} s"), _execute(sandbox, f"{number} e")]
                times = [await call for call in (calls if number % 2 else reversed(calls))]
                found.append(times if number % 2 else times[::-1])
    select, execute = np.array([one[0] for one in found[1:]]), np.array([one[1] for one in found[1:]])
    return Latency(
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
    """Distinct texts of a few behaviours, the commonest first; `mark` makes them new to the sandbox's cache."""
    kinds = np.random.default_rng(0).zipf(1.5, PROGRAMS) % BEHAVIOURS
    loop = "    for i in range(x):\n        if i % 3 == {0} % 3:\n            total += i\n"
    body = f"    total = 0\n{loop}    return total - {{0}}\n"
    return [f"def f(x):\n{body.format(kind)}\n# {mark} {i}\n" for i, kind in enumerate(kinds)]


def _tests() -> Sequence[pb.TestCase]:
    return [pb.TestCase(code=f"assert f({x}) == {sum(range(0, x, 3))}") for x in range(TESTS)]
