"""Asks a ConsensusService which of three programs is right.

Usage: python select_program.py [HOST:PORT]. Without an address it starts a service on this machine, with its own bus
and sandbox, which needs the extra `local`.
"""

import asyncio
import sys

from ucoder.client import Client

PROGRAMS = [
    "def median(xs): return sorted(xs)[len(xs) // 2]",
    "def median(xs):\n    xs = sorted(xs)\n    return xs[len(xs) // 2]",
    "def median(xs): return xs[len(xs) // 2]",
]
TESTS = ["assert median([3, 1, 2]) == 2", "median([5, 4, 3, 2, 1])"]


def ask(address: str) -> None:
    """Prints the selected program, the confidence, and the inputs on which the programs differ."""
    with Client(address) as ucoder:
        answer = ucoder.select(PROGRAMS, tests=TESTS)
    print(answer.program)
    print(f"confidence {answer.verdict.confidence:.2f}")
    for disagreement in answer.verdict.disagreements:
        print(disagreement)


async def serve_and_ask() -> None:
    """Starts a service in this process, asks it, and stops it."""
    from ucoder.cli.shared.embedded_services import consensus_service

    async with consensus_service(None) as address:
        await asyncio.to_thread(ask, address)


if __name__ == "__main__":
    if len(sys.argv) > 1:
        ask(sys.argv[1])
    else:
        asyncio.run(serve_and_ask())
