"""The rule the paper prints."""

from dataclasses import dataclass

import numpy as np

from ucoder.core.clustering import cluster, first_members, weights_by_label
from ucoder.core.matrix import Matrix
from ucoder.core.selection.strategy import Ballot, StrategyOptions
from ucoder.core.selection.success_rate import execution_rate
from ucoder.core.signatures import bits, outputs


@dataclass(frozen=True)
class UCoderOptions(StrategyOptions):
    rho: float = 0.8
    """Least e(r) of a program that counts. The paper's value."""
    tau: float = 0.0
    """Least share of the samples in a cluster. The paper says "non-trivial"; two samples are asked for in any case."""
    pass_share: bool = False
    """e(r) is the share of tests passed instead of executed: the paper defines Exec both ways."""
    outputs: bool = False
    """Cluster by what was returned instead of by passes."""
    exclude_all_fail: bool = False
    """The cluster that passes nothing cannot win. The paper does not say so; it wins 88 of 164 HumanEval tasks."""


def vote(m: Matrix, options: UCoderOptions) -> Ballot:
    """Keep e(r) >= rho; C* = the largest cluster with |C| >= tau; r* = argmax over C* of (e(r), -f(r)), f perplexity.

    Source: arXiv 2512.17385, section "execution-driven consensus"; every choice it leaves open is an option.
    """
    labels = cluster(m, outputs(m) if options.outputs else bits(m))
    rate = execution_rate(m, options.pass_share)
    kept = np.where(rate >= options.rho, m.multiplicity, 0)
    sizes = weights_by_label(labels, kept)
    eligible = sizes >= max(2.0, options.tau * float(m.multiplicity.sum()))
    if options.exclude_all_fail:
        eligible &= m.passed[first_members(labels)].any(axis=1)
    # Equal rates fall back on the matrix's own order, which puts the likeliest program first.
    return Ballot(labels, np.where(eligible, sizes, -np.inf), preference=rate)
