"""The differential oracle: the sandbox gives the verdicts that plain Python gives, on a sample of the corpus."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from ucoder.core.outcomes import Outcome
from ucoder.core.test_plans import Test
from ucoder.errors import Misconfigured
from ucoder.sandbox_runner.isolation.choice import probe
from ucoder_development import oracle_benchmarks
from ucoder_development.oracle_corpus import OracleGroup, generated_groups
from ucoder_development.plain_python import PlainLimits, plain_verdict
from ucoder_development.verdict_checks import run_and_print
from ucoder_development.verdict_oracle import PAGE, compare_with_plain_python, documented_kinds, sample

USABLE = [name for name, usable, _ in probe() if usable and name in ("bubblewrap", "runsc")]
pytestmark = pytest.mark.skipif(not USABLE, reason="no isolation on this machine")
UNIT = "import unittest\nclass T(unittest.TestCase):\n    def test(self): self.assertEqual(f(1), {})"


async def check(groups: list[OracleGroup], cache: Path, agreeing: float) -> None:
    """Checks that no row passes falsely or differs otherwise than documented, and that the share `agreeing` of the rows
    has plain Python's verdict. The programs are unusual, so the sandbox must say of some that it cannot know.
    """
    report = await compare_with_plain_python(groups, cache, USABLE[-1], None, documented_kinds(PAGE.read_text()))
    assert report.false_passes == []
    assert report.undocumented == []
    assert report.agreements > agreeing * sum(report.rows.values())


async def test_a_sample_of_the_generated_pairs(tmp_path: Path) -> None:
    await check(sample(generated_groups(), 19), tmp_path, 0.85)


async def test_a_sample_of_the_cases(tmp_path: Path, shared_data: Callable[[str], Path]) -> None:
    await check(sample(list(oracle_benchmarks.cases(shared_data("cases/execute.jsonl"))), 8), tmp_path, 0.85)


async def test_a_sample_of_the_references(tmp_path: Path, shared_data: Callable[[str], Path]) -> None:
    groups = [
        *oracle_benchmarks.mbpp_plus(shared_data("benchmarks/MbppPlus.jsonl.gz")),
        *oracle_benchmarks.humaneval(shared_data("HumanEval.jsonl.gz")),
    ]
    await check(sample(groups, 40), tmp_path, 0.98)


@pytest.mark.parametrize(
    ("program", "test", "outcome"),
    [
        ("def f(x): return x", Test("assert f(1) == 1"), Outcome.PASSED),
        ("def f(x): return x", Test("assert f(1) == 2"), Outcome.FAILED),
        ("def f(x): return x", Test("f(1)"), Outcome.RETURNED),
        ("def f(x): raise KeyError(x)", Test("f(1)"), Outcome.EXCEPTION),
        ("def f(x): return x", Test(UNIT.format(1)), Outcome.PASSED),
        ("def f(x): return x", Test(UNIT.format(2)), Outcome.FAILED),
        ("def f(x): return x", Test(UNIT.format("g")), Outcome.EXCEPTION),
        ("def f(x): return x", Test("def test_it():\n    assert f(1) == 2"), Outcome.FAILED),
        ("def f(x): return x", Test("import pytest\nwith pytest.raises(KeyError):\n    f(1)"), Outcome.FAILED),
        ("def f(x): raise KeyError('a\\n  b')", Test("f(1)"), Outcome.EXCEPTION),
        ("import os\nos.abort()", Test("f(1)"), Outcome.CRASHED),
        ("while True: pass", Test("f(1)"), Outcome.TIMEOUT_CPU),
        ("import time\ntime.sleep(60)", Test("f(1)"), Outcome.TIMEOUT_WALL),
        ("def f(:", Test("f(1)"), Outcome.EXCEPTION),
        ("print(int(input()) + 1)", Test(stdin="1\n", expected_stdout="2"), Outcome.PASSED),
        ("print(int(input()) + 1)", Test(stdin="1\n", expected_stdout="3"), Outcome.FAILED),
        ("print(2)\nraise SystemExit(1)", Test(stdin="", expected_stdout="2"), Outcome.EXCEPTION),
    ],
)
async def test_plain_python_tells_the_outcomes_apart(program: str, test: Test, outcome: Outcome) -> None:
    limits = PlainLimits(cpu_seconds=1, wall_seconds=4.0 if "sleep" in program else 30.0)
    assert (await plain_verdict(program, test, limits)).outcome is outcome


async def test_an_early_end_is_noticed() -> None:
    verdict = await plain_verdict("def f(x): raise SystemExit", Test("assert f(1) == 1"), PlainLimits())
    assert (verdict.outcome, verdict.to_the_end) == (Outcome.PASSED, False)


async def test_differences_are_counted_by_kind_and_plain_verdicts_are_kept(tmp_path: Path) -> None:
    programs = ("import sys\ndef f(x): sys.exit(0)", "def f(x): return x", "def f(x): return -x")
    tests = (Test("assert f(1) == 1"), Test("y = f(1)\nassert y == 1"))
    group = OracleGroup("own", "generated", "f", programs, ("exits", "right", "wrong"), tests)
    report = await compare_with_plain_python([group], tmp_path, USABLE[-1], 1, {})
    assert report.rows == {"generated": 6}
    assert report.agreements == 4
    assert report.differences == {"early end": 2}
    assert len(report.undocumented) == 2
    assert report.false_passes == []
    kept = sorted(tmp_path.glob("*.json"))
    assert len(kept) == 3
    for path in kept:  # what is kept is believed, and nothing runs again
        path.write_text(json.dumps([["failed", "AssertionError", True]] * 2))
    again = await compare_with_plain_python([group], tmp_path, USABLE[-1], 1, {})
    assert again.differences != report.differences


async def test_the_other_checks_need_a_file(tmp_path: Path) -> None:
    with pytest.raises(Misconfigured, match="Give a file"):
        await run_and_print(
            None,
            tasks=None,
            parts=["truth"],
            programs=100,
            isolation=USABLE[-1],
            cells=1,
            as_json=False,
            cache=tmp_path,
        )
