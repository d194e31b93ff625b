"""B4: the Bayesian optimum when neither programs nor tests can be trusted (arXiv 2409.08692)."""

from dataclasses import dataclass
from math import lgamma

import numpy as np

from ucoder.core.clustering import distinct_weights, first_members, signature_clusters, weights_by_label
from ucoder.core.matrix import Floats, Matrix
from ucoder.core.selection.strategy import ScoredClusters, SignatureOptions

_log_gamma = np.frompyfunc(lgamma, 1, 1)


@dataclass(frozen=True)
class B4Options(SignatureOptions):
    """The options of `b4`: what a set is, and the hyperparameters of its priors."""

    alpha: float = 1e3
    """The prior that right programs and right tests are many."""
    beta0: float = 1e5
    """The prior that wrong programs fail wrong tests."""
    distinct: bool = True
    """Equal syntax trees count once, as in the source."""


def b4(m: Matrix, options: B4Options) -> ScoredClusters:
    """Gives each observed consensus set the posterior that exactly this set is right as its score.

    For the set k of x programs that pass the y tests: L(|y|, M; a, 1) + L(|x|, N; a, 1)
    + L(ones in E[not x, y]; its size; 1, 1) + L(ones in E[not x, not y]; its size; 1, beta0)
    with L(c, n; a, b) = ln Beta(c + a, n - c + b), E the pass matrix. Tests count once.
    A set that passes nothing is not eligible. Source: B4 (arXiv 2409.08692).
    """
    labels = signature_clusters(m, options.outputs)
    weights = distinct_weights(m, labels) if options.distinct else m.multiplicity.astype(np.float64)
    passed = m.passed.astype(np.float64)
    rows = passed[first_members(labels)]
    own = np.zeros_like(rows)
    np.add.at(own, labels, passed * weights[:, None])
    others = weights @ passed - own
    x, y = weights_by_label(labels, weights), rows.sum(axis=1)
    n, tests = weights.sum(), m.shape[1]
    on_right, on_wrong = (others * rows).sum(axis=1), (others * (1 - rows)).sum(axis=1)
    scores = (
        _log_beta(y, tests, options.alpha, 1)
        + _log_beta(x, n, options.alpha, 1)
        + _log_beta(on_right, (n - x) * y, 1, 1)
        + _log_beta(on_wrong, (n - x) * (tests - y), 1, options.beta0)
    )
    return ScoredClusters(labels, np.where(y > 0, scores, -np.inf))


def _log_beta(ones: Floats, size: Floats | float, a: float, b: float) -> Floats:
    """Returns ln Beta(ones + a, size - ones + b), element by element."""
    zeros = size - ones
    total = _log_gamma(ones + a) + _log_gamma(zeros + b) - _log_gamma(ones + zeros + a + b)
    return np.asarray(total, dtype=np.float64)
