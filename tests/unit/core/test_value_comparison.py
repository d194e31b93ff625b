"""The plans of tests, and the verdicts on reported outputs."""

import pytest

from ucoder.core.outcomes import Outcome
from ucoder.core.test_plans import BlockPlan, BrokenPlan, CallPlan, CompatPlan, ScriptPlan, Test, read_plan
from ucoder.core.value_comparison import judge

CASES = [
    # the test, what the call returned, the verdict
    ("assert f(1) == 2", "2", "passed"),
    ("assert f(1) == 2", "3", "failed"),
    ("assert 2 == f(1)", "2", "passed"),
    ("assert f(1) == 1", "True", "passed"),
    ("assert f(1) == 1", "1.0", "passed"),
    ("assert f(1) == [1]", "(1,)", "failed"),
    ("assert f(1) == '1'", "1", "failed"),
    ("assert f() == {1, 2}", "{2, 1}", "passed"),
    ("assert f() == {'a': 1, 'b': 2}", "{'b': 2, 'a': 1}", "passed"),
    ("assert f() == -0.0", "0.0", "passed"),
    ("assert f() == 0.3", "0.30000000000000004", "failed"),
    ("assert f() == float('inf')", "inf", "passed"),
    ("assert f() == float('nan')", "nan", "failed"),
    ("assert f() != float('nan')", "nan", "passed"),
    ("assert f() == 10 ** 30", "1" + "0" * 30, "passed"),
    ("assert f() == [0] * 3 + [-1]", "[0, 0, 0, -1]", "passed"),
    ("assert f() == set()", "set()", "passed"),
    ("assert f() is None", "None", "passed"),
    ("assert f() is True", "1", "failed"),
    ("assert f() is not None", "0", "passed"),
    ("assert f()", "[0]", "passed"),
    ("assert f()", "[]", "failed"),
    ("assert not f()", "0", "passed"),
    ("assert f() < 3", "2", "passed"),
    ("assert 3 < f()", "2", "failed"),
    ("assert f() < 3", "'a'", "exception"),
    ("assert f() in (1, 2)", "2", "passed"),
    ("assert f() in 'abc'", "'bc'", "passed"),
    ("assert f() not in [1]", "2", "passed"),
    ("assert f() == 1", "<Liar>", "failed"),
    ("assert f() != 1", "<Liar>", "passed"),
    ("f()", "[1]", "returned"),
    ("f()", "[<generator>]", "unsupported"),
    ("assert f() == 1", "__import__('os')", "unsupported"),
]


@pytest.mark.parametrize(("code", "output", "verdict"), CASES)
def test_verdict_is_what_python_would_say(code: str, output: str, verdict: str) -> None:
    plan = read_plan(Test(code), "f")
    assert isinstance(plan, CallPlan)
    assert judge(plan, output) == verdict


@pytest.mark.parametrize(
    ("expected", "output", "verdict"),
    [
        ("0.3", "0.30000000000000004", "passed"),
        ("[0.3, 1]", "[0.3000001, 1]", "passed"),
        ("[0.3, 1]", "[0.31, 1]", "failed"),
        ("{'a': 0.5}", "{'a': 0.5000001}", "passed"),
        ("[1, 2]", "[1, 3]", "failed"),
        ("1000000.0", "1000000.1", "passed"),
        ("0.5", "'0.5'", "failed"),
        ("float('nan')", "nan", "failed"),
    ],
)
def test_tolerance_is_for_floats_alone(expected: str, output: str, verdict: str) -> None:
    plan = read_plan(Test(f"assert f() == {expected}", tolerance=1e-6), "f")
    assert isinstance(plan, CallPlan)
    assert judge(plan, output) == verdict


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("assert f(1) == f(2)", BlockPlan),
        ("assert abs(f(1) - 2) < 0.1", BlockPlan),
        ("x = f(1)\nassert x == 2", BlockPlan),
        ("assert g(f(1)) == 2", BlockPlan),
        ("assert f(1) == 2, 'why'", CallPlan),
        ("assert f([g(1)]) == 2", CallPlan),
        ("assert f(1) == 10 ** 10 ** 10", BlockPlan),
        ("assert f(1) == 'a' * 10 ** 10", BlockPlan),
        ("assert f(1) == [[0] * 1000] * 1000000", BlockPlan),
        ("assert f(1) == 2 ** 64", CallPlan),
        ("assert f(1) == open('x')", BlockPlan),
        ("assert f(1) ==", BrokenPlan),
        ("", BrokenPlan),
        ("assert f(" + "(" * 500 + ")" * 500 + ")", BrokenPlan),
    ],
)
def test_only_a_call_and_a_constant_are_split(code: str, kind: type) -> None:
    assert isinstance(read_plan(Test(code), "f"), kind)


def test_expected_value_is_not_part_of_what_runs() -> None:
    plan = read_plan(Test("assert f('question') == 'answer'"), "f")
    assert isinstance(plan, CallPlan)
    assert plan.call == "f('question')"


def test_scripts_and_declared_files() -> None:
    assert read_plan(Test(stdin="1", expected_stdout="2")) == ScriptPlan("1", "2")
    assert read_plan(Test("assert f() == 1"), "f", compat=True) == CompatPlan("assert f() == 1")


def test_every_outcome_has_a_name_of_its_own() -> None:
    assert len({str(outcome) for outcome in Outcome}) == 14
