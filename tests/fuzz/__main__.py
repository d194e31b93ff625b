"""Fuzzes all targets with COUNT inputs, on every core: `python -m tests.fuzz COUNT [SEED]`."""

import os
import sys
from concurrent.futures import ProcessPoolExecutor, as_completed

from tests.fuzz.running import Fuzzed, fuzz
from tests.fuzz.targets import TARGETS


def main(count: int, seed: int) -> None:
    """Prints a line for each finished target. Raises the first Surprise. A hang ends a process with a stack trace."""
    total = 0
    with ProcessPoolExecutor(len(os.sched_getaffinity(0))) as pool:
        running = [pool.submit(numbered, number, count // len(TARGETS), seed) for number in range(len(TARGETS))]
        try:
            for future in as_completed(running):
                done = future.result()
                total += done.inputs
                print(
                    f"{done.target:16} {done.inputs:9} inputs, {done.refused / max(1, done.inputs):4.0%} refused, "
                    f"{done.inputs / done.seconds:8.0f} a second, slowest {1000 * done.slowest:.1f} ms",
                    flush=True,
                )
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    print(f"{total} inputs, no crash, no hang")


def numbered(number: int, count: int, seed: int) -> Fuzzed:
    """Fuzzes a target by its number, because a target itself cannot be sent to another process."""
    return fuzz(TARGETS[number], count, seed)


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 0)
