import math
from itertools import combinations

import pytest

from ucoder.core.pass_at_k import bootstrap, paired_bootstrap, pass_at_k, significance


@pytest.mark.parametrize("correct", range(6))
@pytest.mark.parametrize("k", range(1, 6))
def test_is_the_share_of_subsets_with_a_right_sample(correct: int, k: int) -> None:
    subsets = list(combinations(range(5), k))
    assert pass_at_k(5, correct, k) == pytest.approx(sum(min(s) < correct for s in subsets) / len(subsets))


def test_large_numbers_do_not_overflow() -> None:
    assert pass_at_k(10_000, 5_000, 1) == pytest.approx(0.5)


@pytest.mark.parametrize(("n", "correct", "k"), [(5, 6, 1), (5, -1, 1), (5, 1, 0), (5, 1, 6)])
def test_impossible_numbers_are_refused(n: int, correct: int, k: int) -> None:
    with pytest.raises(ValueError, match="must be between"):
        pass_at_k(n, correct, k)


def test_interval_agrees_with_the_normal_approximation() -> None:
    values = [1.0] * 40 + [0.0] * 60
    interval = bootstrap(values)
    assert interval.mean == 0.4
    assert interval.low == pytest.approx(0.4 - 1.96 * math.sqrt(0.24 / 100), abs=0.02)
    assert interval.high == pytest.approx(0.4 + 1.96 * math.sqrt(0.24 / 100), abs=0.02)


def test_nothing_measured_is_not_a_number() -> None:
    assert math.isnan(bootstrap([]).mean)
    assert math.isnan(paired_bootstrap([], [])[1])


def test_pairing_sees_a_gain_that_spread_hides() -> None:
    theirs = [i % 2 for i in range(100)]
    ours = [1 if i % 10 == 0 else value for i, value in enumerate(theirs)]
    interval, loses = paired_bootstrap(ours, theirs)
    assert interval.mean == pytest.approx(0.1)
    assert interval.low > 0
    assert loses < 0.01
    assert bootstrap(ours).low < bootstrap(theirs).high


def test_unequal_lengths_cannot_be_paired() -> None:
    with pytest.raises(ValueError, match="equally many"):
        paired_bootstrap([1.0], [])


def test_significance_is_two_sided_and_none_between_equals() -> None:
    better, worse = [1.0] * 30 + [0.0] * 10, [0.0] * 30 + [0.0] * 10
    assert significance(better, better) == 1
    assert significance(better, worse) == significance(worse, better) == 0
    mixed = [float(i % 2) for i in range(40)]
    assert significance(mixed, mixed[1:] + mixed[:1]) > 0.5
