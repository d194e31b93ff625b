import numpy as np
import pytest
from hypothesis import given, settings

from ucoder.core.matrix import MISSING, OUTCOMES, Matrix, encode
from ucoder.core.outcomes import Outcome
from ucoder.core.test_plans import input_key

from .matrices import Test, matrix_arguments, matrix_of_letters


def test_outcomes_survive_encoding_by_member_and_by_name() -> None:
    assert [OUTCOMES[code] for code in encode(Outcome)] == list(Outcome)
    assert [OUTCOMES[code] for code in encode([str(outcome) for outcome in Outcome])] == list(Outcome)
    with pytest.raises(ValueError, match=r"'fine'.*passed"):
        encode(["fine"])


def test_output_codes_are_alphabetical_ranks_per_input() -> None:
    m = Matrix.build([["failed", "failed"]] * 3, [["b", "z"], ["a", ""], [None, "z"]], [Test("f(1)"), Test("f(2)")])
    assert m.outputs.tolist() == [[1, 0], [0, MISSING], [MISSING, 0]]
    assert m.texts == (("a", "b"), ("z",))


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ("assert f(1) == 2", "assert f(1) == 3"),
        ("assert f(1) == 2", "assert f( 1 )"),
        ("assert not f(1)", "f(1)"),
        ("assert 2 == f(1)", "assert f(1) is True"),
    ],
)
def test_tests_of_one_call_share_an_input(left: str, right: str) -> None:
    assert input_key(Test(left)) == input_key(Test(right))


@pytest.mark.parametrize(
    "other", ["assert f(2) == 2", "assert f(1) < 2", "x = f(1)\nassert x == 2", "assert f(", "import f"]
)
def test_other_tests_are_inputs_of_their_own(other: str) -> None:
    assert input_key(Test("assert f(1) == 2")) != input_key(Test(other))


def test_inputs_by_stdin_are_told_apart() -> None:
    assert input_key(Test("", stdin="1")) != input_key(Test("", stdin="2"))


def test_the_expected_output_is_what_passes() -> None:
    tests = [Test("assert f(1) == 1"), Test("assert f(1) == 9"), Test("f(2)")]
    outcomes = [["passed", "failed", "returned"], ["passed", "failed", "returned"], ["failed", "failed", "returned"]]
    m = Matrix.build(outcomes, [["1", "1", "0"], ["1.0", "1.0", "0"], ["2", "2", "0"]], tests)
    assert m.inputs.tolist() == [0, 0, 1]
    assert [m.texts[0][m.expected[0]], *m.expected[1:].tolist()] == ["1", MISSING, MISSING]


def test_ragged_rows_are_refused_by_name() -> None:
    with pytest.raises(ValueError, match="row 1 of outcomes"):
        Matrix.build([["passed"], []], None, [Test("f(1)")])
    with pytest.raises(ValueError, match="log_probs must have one entry per program: 1, not 2"):
        Matrix.build([["passed"]], None, [Test("f(1)")], log_probs=[0.0, 0.0])


def test_equal_trees_are_duplicates_and_unknown_programs_are_not() -> None:
    assert matrix_of_letters(["P", "P"], programs=["x = 1", "x  =  1  # one"]).features.classes.tolist() == [0, 0]
    assert matrix_of_letters(["P", "P"]).features.classes.tolist() == [0, 1]


def test_canonical_order_is_likelihood_then_frequency_then_text() -> None:
    m = matrix_of_letters(["P"] * 4, log_probs=[-2, -1, -1, -1], programs=["a", "c", "b", "c "])
    assert m.canonical()[1].tolist() == [1, 3, 2, 0]


@settings(max_examples=50, deadline=None)
@given(matrix_arguments())
def test_canonical_forms_of_all_shuffles_are_equal(case: dict) -> None:  # type: ignore[type-arg]
    rng = np.random.default_rng(1)
    n, m = len(case["outcomes"]), len(case["tests"])
    p, t = rng.permutation(n), rng.permutation(m)
    shuffled = {
        "outcomes": [[case["outcomes"][i][j] for j in t] for i in p],
        "outputs": [[case["outputs"][i][j] for j in t] for i in p],
        "tests": [case["tests"][j] for j in t],
        "log_probs": [case["log_probs"][i] for i in p],
        "programs": [case["programs"][i] for i in p],
    }
    one, other = Matrix.build(**case).canonical()[0], Matrix.build(**shuffled).canonical()[0]
    for name in ("outcomes", "outputs", "expected", "test_counts", "log_probs"):
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name), err_msg=name)
    assert one.program_keys == other.program_keys
    assert one.test_keys == other.test_keys
