"""Compares a long run under faults with one without: `python -m tests.chaos FAULTS [SEED] [file|s3]`."""

import asyncio
import statistics
import sys
import tempfile
from pathlib import Path

from tests.chaos.broken_run import ChaosPlan, Recovery, broken_run


def show(recovery: Recovery) -> None:
    print(f"{recovery.fault:28} recovered after {recovery.seconds:6.2f} s", flush=True)


async def main(faults: int, seed: int, kind: str) -> None:
    briefs = 10 * faults
    with tempfile.TemporaryDirectory(prefix="ucoder-chaos-") as name:
        folder = Path(name)
        (folder / "broken").mkdir()
        (folder / "whole").mkdir()
        whole = (await broken_run(folder / "whole", ChaosPlan(briefs=briefs, seed=seed, kind=kind))).outcome
        print(f"without faults: {len(whole.rows)} of {briefs} briefs selected", flush=True)
        plan = ChaosPlan(briefs=briefs, seed=seed, kind=kind, faults=faults, pause=3, model_seconds=2.0)
        broken = await broken_run(folder / "broken", plan, show)
    different = broken.outcome.differing(whole).keys() - broken.corrupted
    assert not different, f"the faults changed how these briefs ended: {', '.join(sorted(different))}"
    seconds = [recovery.seconds for recovery in broken.recoveries]
    order_dependent = len(broken.outcome.order_dependent | whole.order_dependent)
    print(f"{len(seconds)} faults ({kind}): every brief ended exactly once; {briefs - order_dependent} of them as")
    print(f"without faults. The other {order_dependent} first invented a problem that another brief invented too, and")
    print("which of the two is first depends on timing.")
    print(f"recovery: median {statistics.median(seconds):.2f} s, longest {max(seconds):.2f} s")


asyncio.run(
    main(int(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 1, sys.argv[3] if len(sys.argv) > 3 else "file")
)
