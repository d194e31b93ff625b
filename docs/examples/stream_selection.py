"""Prints a better answer whenever more programs have finished, and stops as soon as the answer cannot change.

Usage: python stream_selection.py HOST:PORT.
"""

import asyncio
import sys

from ucoder.client import AsyncClient

RIGHT = "def total(xs): return sum(xs)"
WRONG = "def total(xs): return sum(xs[1:])"


async def main(address: str) -> None:
    """Selects among twelve programs without any test: the service synthesises the inputs."""
    programs = [RIGHT, WRONG, RIGHT.replace("xs", "ys"), "def total(xs: list[int]) -> int: return sum(x for x in xs)"]
    async with AsyncClient(address) as ucoder:
        async for answer in ucoder.select_stream(programs * 3, prompt="Return the sum of a list of integers."):
            print(answer.finished, answer.program, round(answer.verdict.confidence, 2))


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
