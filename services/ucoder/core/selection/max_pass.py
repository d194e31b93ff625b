"""The program that passes the most tests."""

from dataclasses import dataclass

import numpy as np

from ucoder.core.clustering import cluster, first_members
from ucoder.core.matrix import Matrix
from ucoder.core.selection.strategy import Ballot, StrategyOptions
from ucoder.core.signatures import bits


@dataclass(frozen=True)
class MaxPassOptions(StrategyOptions):
    counts: bool = False
    """A test that the model wrote c times counts c times."""


def vote(m: Matrix, options: MaxPassOptions) -> Ballot:
    """argmax of passed tests: the control that trusts every test and no program.

    Clusters are the bit clusters, whose members pass the same tests. Nothing passed: not eligible.
    """
    labels = cluster(m, bits(m))
    weights = m.test_counts if options.counts else np.ones_like(m.test_counts)
    passes = (m.passed[first_members(labels)] @ weights).astype(np.float64)
    return Ballot(labels, np.where(passes > 0, passes, -np.inf))
