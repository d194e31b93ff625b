"""Runs targets on many inputs. The first surprise ends the run with all that is needed to repeat it."""

import faulthandler
import time
import warnings
from dataclasses import dataclass
from random import Random

from tests.fuzz.targets import Target

HANG_SECONDS = 20.0
"""An input that takes longer ends the process with a stack trace."""
SLOW_SECONDS = 2.0
"""An input that takes more CPU seconds is a surprise."""


class Surprise(AssertionError):
    """The error of a target that did what its contract does not allow."""


@dataclass(frozen=True, slots=True)
class Fuzzed:
    """The result of a target: its inputs, the refused ones among them, and the slowest in CPU seconds."""

    target: str
    inputs: int
    refused: int
    seconds: float
    slowest: float


def fuzz(target: Target, count: int, seed: int = 0) -> Fuzzed:
    """Feeds `count` inputs to a target. Raises Surprise at the first input that breaks its contract."""
    refused, slowest, begun = 0, 0.0, time.perf_counter()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for number in range(count):
            data = target.make(Random(f"{target.name} {seed} {number}"))
            if number % 100 == 0:
                faulthandler.dump_traceback_later(HANG_SECONDS, exit=True)
            started = time.thread_time()
            try:
                target.feed(data)
            except target.refusals:
                refused += 1
            except BaseException as error:
                faulthandler.cancel_dump_traceback_later()
                raise Surprise(f"{target.name}, seed {seed}, input {number}: {error!r} for {data!r:.2000}") from error
            slowest = max(slowest, time.thread_time() - started)
            if slowest > SLOW_SECONDS:
                raise Surprise(f"{target.name}, seed {seed}, input {number} took {slowest:.1f} s: {data!r:.2000}")
    faulthandler.cancel_dump_traceback_later()
    return Fuzzed(target.name, count, refused, time.perf_counter() - begun, slowest)
