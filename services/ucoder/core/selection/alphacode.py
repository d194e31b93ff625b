"""Output agreement: the largest group of programs that return the same on every input."""

import numpy as np

from ucoder.core.clustering import cluster, weights_by_label
from ucoder.core.matrix import Matrix
from ucoder.core.selection.strategy import Ballot, StrategyOptions
from ucoder.core.signatures import observations


def vote(m: Matrix, options: StrategyOptions) -> Ballot:
    """argmax of the samples that share all outputs on the distinct inputs; expected values are not looked at.

    Source: AlphaCode (arXiv 2203.07814, 4.5), whose clusters are ranked by size. A program that never ran to its
    end is not eligible.
    """
    labels = cluster(m, *observations(m))
    ran = np.zeros(labels.max(initial=-1) + 1, dtype=bool)
    np.logical_or.at(ran, labels, (m.completed & m.voting).any(axis=1))
    return Ballot(labels, np.where(ran, weights_by_label(labels, m.multiplicity), -np.inf))
