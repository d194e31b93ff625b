"""The strategy of the UCoder paper (arXiv 2512.17385)."""

from dataclasses import dataclass

import numpy as np

from ucoder.core.clustering import first_members, signature_clusters, weights_by_label
from ucoder.core.matrix import Floats, Matrix
from ucoder.core.selection.strategy import ScoredClusters, SignatureOptions


@dataclass(frozen=True)
class UCoderOptions(SignatureOptions):
    """The choices that the paper makes or leaves open."""

    rho: float = 0.8
    """Least e(r) of a program that counts. The paper's value."""
    tau: float = 0.0
    """Least share of the samples in a cluster. The paper says "non-trivial"; two samples are required in any case."""
    pass_share: bool = False
    """e(r) is the share of tests passed instead of executed: the paper defines Exec both ways."""
    exclude_all_fail: bool = False
    """The cluster that passes nothing cannot win. The paper does not say so; it wins 88 of 164 HumanEval tasks."""


def ucoder(m: Matrix, options: UCoderOptions) -> ScoredClusters:
    """Keeps programs with e(r) >= rho; C* is the largest cluster with |C| >= tau; r* = argmax over C* of (e(r), -f(r)).

    e is the execution rate, f the perplexity. Source: arXiv 2512.17385, section "execution-driven consensus".
    """
    labels = signature_clusters(m, options.outputs)
    rate = execution_rate(m, options.pass_share)
    kept = np.where(rate >= options.rho, m.multiplicity, 0)
    sizes = weights_by_label(labels, kept)
    eligible = sizes >= max(2.0, options.tau * float(m.multiplicity.sum()))
    if options.exclude_all_fail:
        eligible &= m.passed[first_members(labels)].any(axis=1)
    # Programs of equal rate stay in the matrix's own order, which has the likeliest program first.
    return ScoredClusters(labels, np.where(eligible, sizes, -np.inf), preference=rate)


def execution_rate(m: Matrix, pass_share: bool = False) -> Floats:
    """Returns (N,) e(r), 0 to 1: the share of the voting tests that a program completes, or with `pass_share` passes.

    A program without a voting test has 0.
    """
    counted = (m.passed if pass_share else m.completed) & m.voting
    return np.asarray(counted.sum(axis=1) / np.maximum(1, m.voting.sum(axis=1)), dtype=np.float64)
