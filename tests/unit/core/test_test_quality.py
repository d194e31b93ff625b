"""Each kind of test is counted as what it is."""

import numpy as np

from ucoder.core.test_quality import measure_test_quality

from .matrices import matrix_of_letters


def test_each_kind_of_test_is_counted() -> None:
    m = matrix_of_letters(["PPXN", "FPXN", "FPXP"])
    found = measure_test_quality(m)
    assert found.counts() == {"splitting": 1, "unanimous": 1, "failing": 1, "flaky": 1}
    assert found.entropy[0] == np.float64(0.9182958340544896)
    assert found.flaky.tolist() == [False, False, False, True]


def test_our_own_failures_and_duplicates_are_weighed() -> None:
    found = measure_test_quality(matrix_of_letters(["P", "I", "F"], multiplicity=[1, 6, 1]))
    assert found.entropy.tolist() == [1.0]
    assert measure_test_quality(matrix_of_letters(["N", "P"], multiplicity=[1, 3])).flaky.tolist() == [False]


def test_without_tests_there_is_no_quality() -> None:
    assert measure_test_quality(matrix_of_letters([])).counts() == {}
