"""What tests told about programs."""

import numpy as np

from ucoder.core.test_quality import worth

from .matrices import drawn


def test_each_kind_of_test_is_told() -> None:
    m = drawn(["PPXN", "FPXN", "FPXP"])
    found = worth(m)
    assert found.counts() == {"splitting": 1, "unanimous": 1, "failing": 1, "flaky": 1}
    assert found.bits[0] == np.float64(0.9182958340544896)
    assert found.flaky.tolist() == [False, False, False, True]


def test_our_own_failures_and_duplicates_are_weighed() -> None:
    found = worth(drawn(["P", "I", "F"], multiplicity=[1, 6, 1]))
    assert found.bits.tolist() == [1.0]
    assert worth(drawn(["N", "P"], multiplicity=[1, 3])).flaky.tolist() == [False]


def test_nothing_at_all() -> None:
    assert worth(drawn([])).counts() == {}
