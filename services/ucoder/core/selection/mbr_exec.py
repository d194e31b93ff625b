"""Minimum Bayes risk: the program that disagrees least with all others."""

import numpy as np

from ucoder.core.clustering import cluster, weights_by_label
from ucoder.core.matrix import Matrix
from ucoder.core.selection.strategy import Ballot, StrategyOptions
from ucoder.core.signatures import SILENT, agreement, observations


def vote(m: Matrix, options: StrategyOptions) -> Ballot:
    """argmin over r of the sum over r' of the share of inputs on which r and r' return differently.

    A failed execution equals nothing, itself in another program included; ties by likelihood. Source: MBR-Exec
    (arXiv 2204.11454) with the soft loss; its hard loss, any difference counts 1, is `alphacode`.
    Clusters are the output clusters; score = minus the mean disagreement, so 0 is unanimity.
    """
    seen, columns = observations(m)
    labels = cluster(m, seen, columns)
    finished = np.where(m.completed[:, columns], seen, SILENT)
    weights = m.multiplicity.astype(np.float64)
    agreed = agreement(finished, weights).sum(axis=1) / (weights.sum() * max(1, len(columns)))
    means = weights_by_label(labels, agreed) / np.bincount(labels)
    return Ballot(labels, np.where(means > 0, means - 1, -np.inf), preference=agreed)
