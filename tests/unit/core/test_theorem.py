import math

import numpy as np
import pytest

from ucoder.core.matrix import Matrix
from ucoder.core.selection.theorem import check

from .matrices import drawn, written


def random_matrix(wrong: int, tests: int, values: int, copies: int = 1) -> Matrix:
    """A right program twice, and wrong ones that return one of `values` at random; every test `copies` times."""
    rng = np.random.default_rng(3)
    outputs = [["right"] * tests * copies] * 2
    outputs += [[str(v) for v in np.repeat(rng.integers(0, values, tests), copies)] for _ in range(wrong)]
    outcomes = [["passed" if text == "right" else "failed" for text in row] for row in outputs]
    programs = [f"p{i}" for i in range(wrong + 2)]
    return Matrix.build(outcomes, outputs, written(tests * copies), programs=programs)


WINNERS = np.array([0, 1])


def premises(m: Matrix) -> dict[str, bool]:
    return {premise.name: premise.holds for premise in check(m, WINNERS).premises}


def test_the_rate_is_what_chance_gives() -> None:
    bound = check(random_matrix(40, 60, 4), WINNERS)
    assert bound.collision_rate == pytest.approx(0.25, abs=0.02)
    assert bound.required_tests == pytest.approx(math.log(42 / 2) / -math.log(bound.collision_rate))


def test_the_printed_bound_is_the_papers() -> None:
    bound = check(random_matrix(10, 30, 4), WINNERS, delta=0.1)
    assert bound.printed == pytest.approx(1 - 0.1 - 12**2 * bound.collision_rate**30)


def test_independent_tests_count_in_full() -> None:
    bound = check(random_matrix(40, 60, 4), WINNERS)
    assert bound.effective_tests > 0.7 * 60
    assert all(premises(random_matrix(40, 60, 4)).values())


def test_repeated_tests_are_found_out() -> None:
    bound = check(random_matrix(40, 12, 4, copies=10), WINNERS)
    assert bound.tests == 120
    assert bound.effective_tests < 20
    assert bound.corrected < bound.printed
    assert not premises(random_matrix(40, 12, 4, copies=10))["independent_tests"]


def test_at_its_own_minimum_of_tests_the_theorem_says_nothing() -> None:
    bound = check(random_matrix(126, 3, 4), WINNERS)
    assert bound.required_tests > 2
    assert bound.printed == 0.0


def test_copies_of_a_program_are_no_independent_candidates() -> None:
    m = drawn(["PP", "PP", "FF"], programs=["a", "a", "b"])
    assert not {p.name: p.holds for p in check(m, WINNERS).premises}["independent_candidates"]


def test_wrong_programs_that_never_differ_break_the_theorem() -> None:
    m = drawn(["PP", "PP", "FF", "FF"], programs=["a", "b", "c", "d"])
    bound = check(m, WINNERS)
    assert (bound.collision_rate, bound.required_tests, bound.printed) == (1.0, math.inf, 0.0)


def test_unanimity_leaves_no_pair_to_measure() -> None:
    bound = check(drawn(["PP", "PP"]), WINNERS)
    assert math.isnan(bound.collision_rate)
    assert bound.printed == 0.95
    assert not {p.name: p.holds for p in bound.premises}["wrong_programs_differ"]


def test_a_winner_is_needed() -> None:
    with pytest.raises(ValueError, match="winning cluster"):
        check(drawn(["P"]), np.array([], dtype=np.int64))
