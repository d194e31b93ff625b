import numpy as np
from hypothesis import given, settings

from ucoder.core.clustering import (
    SILENT,
    agreeing_weight,
    cluster,
    distinct_weights,
    output_signature,
    outputs_by_input,
    pass_signature,
)
from ucoder.core.matrix import Matrix

from .matrices import Test, matrix_arguments, matrix_of_letters


def labels(rows: list[str], **more: object) -> list[int]:
    m = matrix_of_letters(rows, **more)  # type: ignore[arg-type]
    return cluster(m, pass_signature(m)).tolist()


def test_equal_passes_make_a_cluster() -> None:
    assert labels(["PF", "FP", "PF", "PX"]) == [0, 1, 0, 0]


def test_outputs_split_what_passes_join() -> None:
    m = matrix_of_letters(["PF", "PF"], outputs=[["0", "7"], ["0", "8"]])
    assert cluster(m, pass_signature(m)).tolist() == [0, 0]
    assert cluster(m, output_signature(m)).tolist() == [0, 1]


def test_a_program_that_never_ran_is_alone_although_others_fail_alike() -> None:
    assert labels(["XX", "PF", "XX", "II"]) == [0, 1, 2, 3]


def test_without_tests_all_programs_are_one_cluster() -> None:
    assert labels(["", ""]) == [0, 0]


def test_a_program_with_a_lost_cell_joins_the_one_cluster_that_agrees() -> None:
    assert labels(["PPF", "PPF", "PIF", "FFF"]) == [0, 0, 0, 1]


def test_a_lost_cell_between_two_equal_clusters_leaves_a_program_alone() -> None:
    assert labels(["PPF", "PFF", "PIF"]) == [0, 1, 2]
    assert labels(["PPF", "PFF", "PIF", "PFF"]) == [0, 1, 1, 1]


def test_a_flaky_cell_is_no_lost_cell() -> None:
    assert labels(["PPF", "PPF", "PNF"]) == [0, 0, 1]


def test_equal_trees_count_once_per_cluster() -> None:
    m = matrix_of_letters(["P", "P", "F", "P"], programs=["x=1", "x = 1", "x=1", "y"])
    assert distinct_weights(m, cluster(m, pass_signature(m))).tolist() == [1, 0, 1, 1]


def test_shared_inputs_are_observed_once() -> None:
    tests = [Test("assert f(1) == 1"), Test("assert f(1) == 2"), Test("assert g() < 3"), Test("assert g() < 3\n")]
    m = Matrix.build([["passed", "failed", "passed", "failed"]], [["1", "1", None, None]], tests)
    assert outputs_by_input(m)[1].tolist() == [0, 2, 3]


def test_agreement_by_hand() -> None:
    symbols = np.array([[5, 5], [5, SILENT], [7, 5]], dtype=np.int32)
    weights = np.array([1.0, 2.0, 4.0])
    assert agreeing_weight(symbols, weights).tolist() == [[3.0, 5.0], [3.0, 0.0], [4.0, 5.0]]


@settings(max_examples=50, deadline=None)
@given(matrix_arguments())
def test_agreement_is_what_counting_finds(case: dict) -> None:  # type: ignore[type-arg]
    symbols = output_signature(Matrix.build(**case))
    weights = np.arange(1.0, len(symbols) + 1)
    found = agreeing_weight(symbols, weights)
    for (i, j), symbol in np.ndenumerate(symbols):
        assert found[i, j] == (0 if symbol == SILENT else weights[symbols[:, j] == symbol].sum())


@settings(max_examples=50, deadline=None)
@given(matrix_arguments())
def test_a_silent_cell_is_never_a_pass(case: dict) -> None:  # type: ignore[type-arg]
    m = Matrix.build(**case)
    assert not (m.passed & ~m.voting).any()
    assert ((pass_signature(m) == SILENT) == ~m.voting).all()
