"""CodeT: dual execution agreement."""

from dataclasses import dataclass

import numpy as np

from ucoder.core.clustering import cluster, distinct_weights, first_members, weights_by_label
from ucoder.core.matrix import Matrix
from ucoder.core.selection.strategy import Ballot, StrategyOptions
from ucoder.core.signatures import bits, outputs


@dataclass(frozen=True)
class CodeTOptions(StrategyOptions):
    outputs: bool = False
    """Sets are programs with equal outputs instead of equal passes."""
    distinct: bool = False
    """Equal syntax trees count once."""


def vote(m: Matrix, options: CodeTOptions) -> Ballot:
    """argmax of sqrt(|S|) x passed tests, a test written c times counting c times.

    S is a set of programs that pass the same tests; one that passes none is in no set; sets of equal score merge.
    Source: CodeT (arXiv 2207.10397, 2.2, and its released code, which has the square root).
    """
    labels = cluster(m, outputs(m) if options.outputs else bits(m))
    sizes = weights_by_label(labels, distinct_weights(m, labels) if options.distinct else m.multiplicity)
    passes = m.passed[first_members(labels)] @ m.test_counts
    # The square is compared: whole numbers are equal exactly when the scores are.
    squares = sizes * passes.astype(np.float64) ** 2
    merged = np.where(squares > 0, squares, -1.0 - np.arange(len(squares)))
    scores, sets = np.unique(merged, return_inverse=True)
    return Ballot(sets[labels], np.where(scores > 0, np.sqrt(np.maximum(scores, 0.0)), -np.inf))
