"""Theorem 2.4 of the paper, with its premises measured on the data it is quoted for.

The theorem: n independent candidates, at least k of them right with probability >= 1 - delta, two wrong ones agreeing
on one test with probability <= p < 1, tests independent. With |T| >= log(n/k) / (-log p) tests the largest cluster
holds only right programs with probability >= 1 - delta - n^2 p^|T| (arXiv 2512.17385). At that least |T| the error term
is n k > 1, so the bound says something only with many more tests; and real tests are far from independent. Hence a
number alone is never returned.
"""

from dataclasses import dataclass

import numpy as np

from ucoder.core.clustering import Labels
from ucoder.core.matrix import Matrix
from ucoder.core.signatures import SILENT, bits, outputs

MOST_PAIRS = 4000
"""Pairs of programs looked at; a rate is then known to about one hundredth."""


@dataclass(frozen=True)
class Premise:
    """One assumption: whether the data bear it out, and what was measured."""

    name: str
    holds: bool
    measured: str


@dataclass(frozen=True)
class Bound:
    """What the theorem says here, as printed and corrected for what was measured."""

    collision_rate: float
    """p: share of (pair, test) on which two different programs outside the winning cluster agree. NaN: no pair."""
    tests: int
    effective_tests: float
    """Independent tests that would scatter the pairs' agreement as much: |T| over the design effect."""
    required_tests: float
    """log(n/k) / (-log p)."""
    printed: float
    """1 - delta - n^2 p^|T| with |T| at face value, at least 0."""
    corrected: float
    """The same with the effective number of tests, at least 0: the only one of the two to be believed."""
    premises: tuple[Premise, ...]


def check(m: Matrix, winners: Labels, delta: float = 0.05, by_outputs: bool = True) -> Bound:
    """The bound for the cluster whose members are `winners`, taken as the k right programs.

    Wrong programs are taken to be those outside it. ValueError without a winner or with delta outside [0, 1].
    """
    n, tests = m.shape
    if len(winners) == 0 or not 0 <= delta <= 1:
        raise ValueError("the theorem needs a winning cluster and a delta between 0 and 1")
    agreed = _agreements(m, winners, by_outputs)
    p = float(agreed.mean()) if agreed.size else float("nan")
    effective = _effective(agreed)
    k = len(winners)
    required = np.log(n / k) / -np.log(p) if 0 < p < 1 else (float("inf") if p == 1 else 0.0)
    distinct = len(set(m.traits.classes.tolist()))
    premises = (
        Premise("independent_candidates", distinct == n, f"{distinct} of {n} programs are distinct"),
        Premise("wrong_programs_differ", bool(p < 1), f"two wrong programs agree on a test with rate {p:.3f}"),
        Premise(
            "independent_tests", effective >= 0.5 * tests, f"{tests} tests scatter agreement like {effective:.1f} would"
        ),
        Premise(
            "enough_tests",
            bool(effective >= required),
            f"{required:.1f} independent tests needed, {effective:.1f} had",
        ),
    )
    return Bound(
        collision_rate=p,
        tests=tests,
        effective_tests=effective,
        required_tests=float(required),
        printed=_bound(n, p, tests, delta),
        corrected=_bound(n, p, effective, delta),
        premises=premises,
    )


def _bound(n: int, p: float, tests: float, delta: float) -> float:
    error = n * n * p**tests if p == p else 0.0
    return float(max(0.0, 1.0 - delta - error))


def _agreements(m: Matrix, winners: Labels, by_outputs: bool) -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
    """(pairs, M) 1 where two different programs outside the winning cluster behave alike on a test."""
    symbols = outputs(m) if by_outputs else bits(m)
    losers = np.setdiff1d(np.arange(m.shape[0]), winners)
    losers = losers[np.unique(m.traits.classes[losers], return_index=True)[1]]
    first, second = np.triu_indices(len(losers), 1)
    if len(first) > MOST_PAIRS:
        drawn = np.random.default_rng(0).choice(len(first), MOST_PAIRS, replace=False)
        first, second = first[drawn], second[drawn]
    left, right = symbols[losers[first]], symbols[losers[second]]
    return np.asarray((left == right) & (left != SILENT), dtype=np.float64)


def _effective(agreed: np.ndarray[tuple[int, int], np.dtype[np.float64]]) -> float:
    """|T| / design effect, the variance of a pair's number of agreements over what independence would give."""
    if agreed.shape[0] < 2 or agreed.shape[1] == 0:
        return float(agreed.shape[1])
    rates = agreed.mean(axis=0)
    independent = float((rates * (1 - rates)).sum())
    observed = float(agreed.sum(axis=1).var())
    return float(agreed.shape[1] / max(1.0, observed / independent)) if independent > 0 else 1.0
