"""CodeT: dual execution agreement (arXiv 2207.10397)."""

from dataclasses import dataclass

import numpy as np

from ucoder.core.clustering import distinct_weights, first_members, signature_clusters, weights_by_label
from ucoder.core.matrix import Matrix
from ucoder.core.selection.strategy import ScoredClusters, SignatureOptions


@dataclass(frozen=True)
class CodeTOptions(SignatureOptions):
    """The options of `codet`."""

    distinct: bool = False
    """Equal syntax trees count once."""


def codet(m: Matrix, options: CodeTOptions) -> ScoredClusters:
    """Gives each consensus set S the score sqrt(|S|) x passed tests. A test that was written c times counts c times.

    S is a set of programs that pass the same tests. A program that passes none is in no set; sets of equal score are
    merged. Source: CodeT (arXiv 2207.10397, 2.2, and its released code, which has the square root).
    """
    labels = signature_clusters(m, options.outputs)
    sizes = weights_by_label(labels, distinct_weights(m, labels) if options.distinct else m.multiplicity)
    passes = m.passed[first_members(labels)] @ m.test_counts
    # Squared scores are compared: they are whole numbers, which are equal exactly when the scores are.
    squares = sizes * passes.astype(np.float64) ** 2
    merged = np.where(squares > 0, squares, -1.0 - np.arange(len(squares)))
    scores, sets = np.unique(merged, return_inverse=True)
    return ScoredClusters(sets[labels], np.where(scores > 0, np.sqrt(np.maximum(scores, 0.0)), -np.inf))
