"""`python -m tests.chaos FAULTS [SEED] [KIND]`: a long broken run and an unbroken one, compared; see breaking.py."""

import asyncio
import statistics
import sys
import tempfile
from pathlib import Path

from tests.chaos.breaking import Recovery, broken_run


def tell(one: Recovery) -> None:
    print(f"{one.fault:28} recovered after {one.seconds:6.2f} s", flush=True)


async def main(faults: int, seed: int, kind: str) -> None:
    with tempfile.TemporaryDirectory(prefix="ucoder-chaos-") as name:
        folder = Path(name)
        (folder / "broken").mkdir()
        (folder / "whole").mkdir()
        briefs = 10 * faults
        whole, _, _ = await broken_run(
            folder / "whole", briefs=briefs, seed=seed, kind=kind, faults=0, pause=0, model_seconds=0
        )
        print(f"unbroken: {len(whole.rows)} of {briefs} briefs selected", flush=True)
        books, recoveries, corrupted = await broken_run(
            folder / "broken", briefs=briefs, seed=seed, kind=kind, faults=faults, pause=3, model_seconds=2.0, tell=tell
        )
    different = {name for name in books.differing(whole) if name not in corrupted}
    assert not different, f"the faults changed how {different} ended"
    seconds = [one.seconds for one in recoveries]
    collided = len(books.collided | whole.collided)
    print(f"{len(recoveries)} faults ({kind}): books balance; {briefs - collided} briefs ended as without faults,")
    print(f"the other {collided} began with a problem that another brief invented too, and who is first is chance")
    print(f"recovery: median {statistics.median(seconds):.2f} s, longest {max(seconds):.2f} s")


asyncio.run(
    main(int(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 1, sys.argv[3] if len(sys.argv) > 3 else "file")
)
