"""`python -m tests.fuzz COUNT [SEED]`: COUNT inputs over all targets, with progress."""

import sys

from tests.fuzz.running import fuzz

total = 0
for done in fuzz(int(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 0):
    total += done.inputs
    print(
        f"{done.target:16} {done.inputs:9} inputs, {done.refused / max(1, done.inputs):4.0%} refused, "
        f"{done.inputs / done.seconds:8.0f} a second, slowest {1000 * done.slowest:.1f} ms",
        flush=True,
    )
print(f"{total} inputs, no crash, no hang")
