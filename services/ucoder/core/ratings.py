"""Ratings of problems by the model that wrote them.

A rating saturates as a number, so it is ranked among its batch and compared with the observed solve rates.
"""

import re
from collections.abc import Sequence

import numpy as np

from ucoder.core.matrix import Floats


def read_rating(text: str) -> float | None:
    """Returns the first number from 1 to 5 in the model's answer, or None."""
    number = re.search(r"[1-5](?:\.\d+)?", text)
    return min(5.0, float(number.group())) if number else None


def ranks(values: Sequence[float] | Floats) -> Floats:
    """Returns (n,) the place of each value among all, 0 to 1. Equal values share their middle; one value has 0.5."""
    if len(values) < 2:
        return np.full(len(values), 0.5)
    _, place, same = np.unique(np.asarray(values, dtype=np.float64), return_inverse=True, return_counts=True)
    below = np.cumsum(same) - same
    return np.asarray((below + (same - 1) / 2)[place] / (len(values) - 1))


def rank_correlation(one: Sequence[float] | Floats, other: Sequence[float] | Floats) -> float:
    """Returns Spearman's rank correlation, -1 to 1, or 0 where one of the two does not vary."""
    a, b = ranks(one), ranks(other)
    if len(a) < 2 or not a.std() or not b.std():
        return 0.0
    return float(np.corrcoef(a, b)[0, 1])


def expected_solve_rates(rank: Sequence[float] | Floats, solved: Sequence[float] | Floats) -> Floats:
    """Returns (n,) the solve rate to expect at each rank: an isotonic regression, which never rises with the rank.

    rank: (n,) from `ranks`, higher for harder problems. solved: (n,) share of candidates in the winning cluster.
    Source: pool adjacent violators (Barlow et al. 1972).
    """
    order = np.argsort(rank, kind="stable")
    pools: list[tuple[float, int]] = []
    for value in np.asarray(solved, dtype=np.float64)[order]:
        pools.append((float(value), 1))
        while len(pools) > 1 and pools[-2][0] < pools[-1][0]:
            (one, n), (other, m) = pools[-2:]
            pools[-2:] = [((one * n + other * m) / (n + m), n + m)]
    expected = np.empty(len(order))
    expected[order] = np.repeat([value for value, _ in pools], [count for _, count in pools])
    return expected
