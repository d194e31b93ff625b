"""The largest cluster: the paper's ablation without its filters."""

from dataclasses import dataclass

from ucoder.core.clustering import cluster, weights_by_label
from ucoder.core.matrix import Matrix
from ucoder.core.selection.strategy import Ballot, StrategyOptions
from ucoder.core.signatures import bits, outputs


@dataclass(frozen=True)
class ClusterOptions(StrategyOptions):
    outputs: bool = False
    """Cluster by what was returned instead of by passes."""


def vote(m: Matrix, options: ClusterOptions) -> Ballot:
    """argmax of |C| over clusters of equal signature, the all-failing one included; within it by likelihood
    (arXiv 2512.17385, ablation "cluster")."""
    labels = cluster(m, outputs(m) if options.outputs else bits(m))
    return Ballot(labels, weights_by_label(labels, m.multiplicity))
