"""The rows kept by content: bounded by their number and by their text."""

from ucoder.core.outcomes import Outcome
from ucoder.sandbox_runner.host import result_cache
from ucoder.sandbox_runner.sandbox_job import ProgramResult


def row(text: str, outcome: Outcome = Outcome.RETURNED) -> ProgramResult:
    return ProgramResult(0, (outcome,), (text,), (0.0,))


def test_the_oldest_row_goes_first() -> None:
    kept = result_cache.RowCache(2, "v")
    for key in (b"a", b"b"):
        kept.keep(key, row("x"))
    assert kept.find(b"a")
    kept.keep(b"c", row("x"))
    assert [kept.find(key) is not None for key in (b"a", b"b", b"c")] == [True, False, True]


def test_long_outputs_push_out_others() -> None:
    kept = result_cache.RowCache(1000, "v")
    for number in range(100):
        kept.keep(b"%d" % number, row("x" * (1 << 20)))
    assert sum(kept.find(b"%d" % number) is not None for number in range(100)) == result_cache.TEXT >> 20
    kept.keep(b"99", row("short"))
    kept.keep(b"new", row("y" * (1 << 20)))
    assert kept.find(b"37") is not None


def test_our_own_failures_are_not_remembered() -> None:
    kept = result_cache.RowCache(2, "v")
    kept.keep(b"a", row("x", Outcome.INFRA_ERROR))
    assert kept.find(b"a") is None
