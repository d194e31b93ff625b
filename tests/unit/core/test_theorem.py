"""Theorem 2.4: its bound, and its premises as measured."""

import math

import numpy as np
import pytest

from ucoder.core.matrix import Matrix
from ucoder.core.selection.theorem import check_theorem

from .matrices import matrix_of_letters, written_tests


def random_matrix(wrong: int, tests: int, values: int, copies: int = 1) -> Matrix:
    """Builds a matrix of two right programs, and wrong ones that return one of `values` at random.

    Every test occurs `copies` times.
    """
    rng = np.random.default_rng(3)
    outputs = [["right"] * tests * copies] * 2
    outputs += [[str(v) for v in np.repeat(rng.integers(0, values, tests), copies)] for _ in range(wrong)]
    outcomes = [["passed" if text == "right" else "failed" for text in row] for row in outputs]
    programs = [f"p{i}" for i in range(wrong + 2)]
    return Matrix.build(outcomes, outputs, written_tests(tests * copies), programs=programs)


WINNERS = np.array([0, 1])


def premises(m: Matrix) -> dict[str, bool]:
    return {premise.name: premise.holds for premise in check_theorem(m, WINNERS).premises}


def test_the_rate_is_what_chance_gives() -> None:
    bound = check_theorem(random_matrix(40, 60, 4), WINNERS)
    assert bound.collision_rate == pytest.approx(0.25, abs=0.02)
    assert bound.required_tests == pytest.approx(math.log(42 / 2) / -math.log(bound.collision_rate))


def test_the_printed_bound_is_the_papers() -> None:
    bound = check_theorem(random_matrix(10, 30, 4), WINNERS, delta=0.1)
    assert bound.printed == pytest.approx(1 - 0.1 - 12**2 * bound.collision_rate**30)


def test_independent_tests_count_in_full() -> None:
    bound = check_theorem(random_matrix(40, 60, 4), WINNERS)
    assert bound.effective_tests > 0.7 * 60
    assert all(premises(random_matrix(40, 60, 4)).values())


def test_repeated_tests_lower_the_effective_number() -> None:
    bound = check_theorem(random_matrix(40, 12, 4, copies=10), WINNERS)
    assert bound.tests == 120
    assert bound.effective_tests < 20
    assert bound.corrected < bound.printed
    assert not premises(random_matrix(40, 12, 4, copies=10))["independent_tests"]


def test_at_its_own_minimum_of_tests_the_theorem_says_nothing() -> None:
    bound = check_theorem(random_matrix(126, 3, 4), WINNERS)
    assert bound.required_tests > 2
    assert bound.printed == 0.0


def test_copies_of_a_program_are_no_independent_candidates() -> None:
    m = matrix_of_letters(["PP", "PP", "FF"], programs=["a", "a", "b"])
    assert not {p.name: p.holds for p in check_theorem(m, WINNERS).premises}["independent_candidates"]


def test_wrong_programs_that_never_differ_break_the_theorem() -> None:
    m = matrix_of_letters(["PP", "PP", "FF", "FF"], programs=["a", "b", "c", "d"])
    bound = check_theorem(m, WINNERS)
    assert (bound.collision_rate, bound.required_tests, bound.printed) == (1.0, math.inf, 0.0)


def test_unanimity_leaves_no_pair_to_measure() -> None:
    bound = check_theorem(matrix_of_letters(["PP", "PP"]), WINNERS)
    assert math.isnan(bound.collision_rate)
    assert bound.printed == 0.95
    assert not {p.name: p.holds for p in bound.premises}["wrong_programs_differ"]


def test_a_winner_is_needed() -> None:
    with pytest.raises(ValueError, match="winning cluster"):
        check_theorem(matrix_of_letters(["P"]), np.array([], dtype=np.int64))
    with pytest.raises(ValueError, match="winning cluster"):
        check_theorem(Matrix.build([], None, []), candidates=3)


def test_n_is_the_number_of_samples_unless_the_caller_counts_them() -> None:
    m = matrix_of_letters(["PP", "FF", "XX"], multiplicity=[3, 2, 1])
    assert check_theorem(m).programs == 6
    assert check_theorem(m, candidates=128).programs == 128


def test_the_largest_cluster_stands_for_the_winners() -> None:
    m = random_matrix(10, 30, 4)
    assert check_theorem(m) == check_theorem(m, WINNERS)


def test_passes_agree_at_least_as_often_as_outputs() -> None:
    bound = check_theorem(random_matrix(40, 60, 4), WINNERS)
    assert bound.collision_rate < bound.collision_rate_by_passes == 1.0  # wrong programs fail every test


@pytest.mark.parametrize(
    ("m", "says_anything", "words"),
    [
        (random_matrix(40, 60, 4), True, "42 programs, 60 tests (2.2 tests required), p = 0.247 by outputs"),
        (random_matrix(126, 3, 4), False, "the bound is 0, so it says nothing. It assumes independent tests"),
        (matrix_of_letters(["PP", "PP"]), False, "p cannot be measured and the bound says nothing."),
    ],
)
def test_one_line_describes_the_bound(m: Matrix, says_anything: bool, words: str) -> None:
    bound = check_theorem(m, WINNERS)
    assert bound.says_anything is says_anything
    assert words in bound.describe()
    assert "\n" not in bound.describe()


def test_the_line_states_how_far_the_tests_are_from_independent() -> None:
    bound = check_theorem(random_matrix(40, 12, 4, copies=10), WINNERS)
    assert f"far from: these are worth {bound.effective_tests:.1f}" in bound.describe()
