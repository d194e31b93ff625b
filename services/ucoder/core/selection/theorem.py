"""Theorem 2.4 of the paper (arXiv 2512.17385), with its premises measured on the data that it is applied to.

The theorem: n independent candidates, at least k of them right with probability >= 1 - delta, two wrong ones agreeing
on one test with probability <= p < 1, tests independent. With |T| >= log(n/k) / (-log p) tests the largest cluster
holds only right programs with probability >= 1 - delta - n^2 p^|T|. At that least |T| the error term is n k > 1, so the
bound says something only with many more tests. Real tests are far from independent, so the bound comes with the
number of independent tests that they are worth.
"""

import math
from dataclasses import dataclass

import numpy as np

from ucoder.core.clustering import SILENT, Labels, cluster, output_signature, outputs_by_input, pass_signature
from ucoder.core.matrix import Floats, Ints, Matrix

MOST_PAIRS = 4000
"""The number of pairs of programs that are compared. The standard error of a rate is then about one hundredth."""


@dataclass(frozen=True)
class TheoremPremise:
    """One premise of the theorem: whether the data agree with it, and the measurement in words."""

    name: str
    holds: bool
    measured: str


@dataclass(frozen=True)
class TheoremBound:
    """The theorem applied to one matrix: the bound at face value, the bound after correction, and the premises."""

    programs: int
    """n: the number of candidates."""
    tests: int
    """|T|: the number of tests."""
    required_tests: float
    """The theorem's minimum number of tests, log(n/k) / (-log p). Infinite for p = 1, 0 where p is NaN or 0."""
    collision_rate: float
    """p, 0 to 1: how often two distinct wrong programs have equal outputs on a test. NaN without two such programs."""
    collision_rate_by_passes: float
    """The same where two programs agree when both pass or both fail: the paper's own signature."""
    effective_tests: float
    """The number of independent tests that would scatter the pairs' agreement as much: |T| over the design effect."""
    delta: float
    """The probability, 0 to 1, that fewer than k candidates are right."""
    printed: float
    """1 - delta - n^2 p^|T|, at least 0, as the paper prints it."""
    corrected: float
    """The same with the number of effective tests. Only this bound accounts for dependent tests."""
    premises: tuple[TheoremPremise, ...]

    @property
    def says_anything(self) -> bool:
        """The printed bound is above 0 and p was measured."""
        return self.printed > 0 and not math.isnan(self.collision_rate)

    def describe(self) -> str:
        """Returns one line: the measured numbers, the bound, and how far the tests are from independent."""
        measured = f"Theorem 2.4: {self.programs} programs, {self.tests} tests"
        if math.isnan(self.collision_rate):
            return f"{measured}: no two distinct wrong programs, so p cannot be measured and the bound says nothing."
        rate = f"p = {self.collision_rate:.3f} by outputs, {self.collision_rate_by_passes:.3f} by passes"
        required = f"{self.required_tests:.1f} tests required"
        says = f"at least {self.printed:.3f}" if self.says_anything else "0, so it says nothing"
        return (
            f"{measured} ({required}), {rate}; the bound is {says}. It assumes independent tests, which real tests are "
            f"far from: these are worth {self.effective_tests:.1f}, with which the bound is {self.corrected:.3f}."
        )


def check_theorem(
    m: Matrix, winners: Labels | None = None, delta: float = 0.05, candidates: int | None = None
) -> TheoremBound:
    """Applies the theorem to the cluster of `winners` (indices of rows), taken as the k right programs.

    The programs outside that cluster are taken as wrong. winners: None for the largest cluster of equal outputs.
    candidates: n; None for the samples that the rows stand for. Raises ValueError without a winner or with delta
    outside [0, 1].
    """
    n, tests = int(m.multiplicity.sum()) if candidates is None else candidates, m.shape[1]
    if winners is None:
        labels = cluster(m, *outputs_by_input(m))
        winners = np.flatnonzero(labels == np.bincount(labels, weights=m.multiplicity, minlength=1).argmax())
    if len(winners) == 0 or not 0 <= delta <= 1:
        raise ValueError("the theorem needs a winning cluster and a delta between 0 and 1")
    agreed = _agreements(m, winners, output_signature(m))
    p, effective = _rate(agreed), _effective_tests(agreed)
    k = float(m.multiplicity[winners].sum())
    required = math.log(n / k) / -math.log(p) if 0 < p < 1 else (math.inf if p == 1 else 0.0)
    distinct = len(set(m.features.classes.tolist()))
    premises = (
        TheoremPremise("independent_candidates", distinct == n, f"{distinct} of {n} programs are distinct"),
        TheoremPremise("wrong_programs_differ", p < 1, f"two wrong programs agree on a test with rate {p:.3f}"),
        TheoremPremise(
            "independent_tests",
            effective >= 0.5 * tests,
            f"{tests} tests scatter agreement like {effective:.1f} independent ones",
        ),
        TheoremPremise(
            "enough_tests",
            effective >= required,
            f"{required:.1f} independent tests are required, {effective:.1f} are there",
        ),
    )
    return TheoremBound(
        programs=n,
        tests=tests,
        required_tests=required,
        collision_rate=p,
        collision_rate_by_passes=_rate(_agreements(m, winners, pass_signature(m))),
        effective_tests=effective,
        delta=delta,
        printed=_bound(n, p, tests, delta),
        corrected=_bound(n, p, effective, delta),
        premises=premises,
    )


def _bound(n: int, p: float, tests: float, delta: float) -> float:
    """Returns 1 - delta - n^2 p^tests, at least 0. Without a measured p (NaN) there is no error term."""
    error = 0.0 if math.isnan(p) else n * n * p**tests
    return max(0.0, 1.0 - delta - error)


def _agreements(m: Matrix, winners: Labels, symbols: Ints) -> Floats:
    """Returns (pairs, M) 1 where two distinct programs outside the winning cluster have equal symbols on a test."""
    losers = np.setdiff1d(np.arange(m.shape[0]), winners)
    losers = losers[np.unique(m.features.classes[losers], return_index=True)[1]]
    first, second = np.triu_indices(len(losers), 1)
    if len(first) > MOST_PAIRS:
        drawn = np.random.default_rng(0).choice(len(first), MOST_PAIRS, replace=False)
        first, second = first[drawn], second[drawn]
    left, right = symbols[losers[first]], symbols[losers[second]]
    return np.asarray((left == right) & (left != SILENT), dtype=np.float64)


def _rate(agreed: Floats) -> float:
    return float(agreed.mean()) if agreed.size else math.nan


def _effective_tests(agreed: Floats) -> float:
    """Returns |T| / design effect: the variance of a pair's number of agreements over that of independent tests."""
    pairs, tests = agreed.shape
    if pairs < 2 or tests == 0:
        return float(tests)
    rates = agreed.mean(axis=0)
    independent = float((rates * (1 - rates)).sum())
    observed = float(agreed.sum(axis=1).var())
    return float(tests / max(1.0, observed / independent)) if independent > 0 else 1.0
