"""Tests of the result cache: bounded by the number of results and by their text."""

from ucoder.core.outcomes import Outcome
from ucoder.sandbox_runner.host import result_cache
from ucoder.sandbox_runner.sandbox_job import ProgramResult


def result(text: str, outcome: Outcome = Outcome.RETURNED) -> ProgramResult:
    return ProgramResult(0, (outcome,), (text,), (0.0,))


def test_the_result_unused_for_longest_is_dropped_first() -> None:
    cache = result_cache.ResultCache(2, "v")
    for key in (b"a", b"b"):
        cache.keep(key, result("x"))
    assert cache.find(b"a")
    cache.keep(b"c", result("x"))
    assert [cache.find(key) is not None for key in (b"a", b"b", b"c")] == [True, False, True]


def test_long_outputs_displace_others() -> None:
    cache = result_cache.ResultCache(1000, "v")
    for number in range(100):
        cache.keep(b"%d" % number, result("x" * (1 << 20)))
    assert sum(cache.find(b"%d" % number) is not None for number in range(100)) == result_cache.MOST_CHARACTERS >> 20
    cache.keep(b"99", result("short"))
    cache.keep(b"new", result("y" * (1 << 20)))
    assert cache.find(b"37") is not None


def test_infra_errors_are_not_cache() -> None:
    cache = result_cache.ResultCache(2, "v")
    cache.keep(b"a", result("x", Outcome.INFRA_ERROR))
    assert cache.find(b"a") is None
