"""The seven baseline strategies that other rules are compared with.

Each takes a matrix in canonical order (`Matrix.canonical`: the likeliest program first), so ties fall to likelihood.
"""

import zlib
from dataclasses import dataclass

import numpy as np

from ucoder.core.clustering import (
    SILENT,
    agreeing_weight,
    cluster,
    first_members,
    outputs_by_input,
    signature_clusters,
    weights_by_label,
)
from ucoder.core.matrix import Matrix
from ucoder.core.selection.paper_rule import execution_rate
from ucoder.core.selection.strategy import ScoredClusters, SignatureOptions, StrategyOptions


@dataclass(frozen=True)
class MaxPassOptions(StrategyOptions):
    """The options of `max_pass`."""

    counts: bool = False
    """A test that the model wrote c times counts c times."""


@dataclass(frozen=True)
class RandomOptions(StrategyOptions):
    """The options of `random_choice`."""

    seed: int = 0
    """The seed of the draw. The same seed on the same programs gives the same draw."""


def largest_cluster(m: Matrix, options: SignatureOptions) -> ScoredClusters:
    """Gives each cluster of equal signature its size as score, also the cluster that fails every test.

    Source: arXiv 2512.17385, ablation "cluster": the paper's rule without its filters.
    """
    labels = signature_clusters(m, options.outputs)
    return ScoredClusters(labels, weights_by_label(labels, m.multiplicity))


def alphacode(m: Matrix, options: StrategyOptions) -> ScoredClusters:
    """Gives each cluster of equal outputs on the distinct inputs its size as score. Expected values do not count.

    A program that completed no test is not eligible. Source: AlphaCode (arXiv 2203.07814, 4.5), which ranks clusters
    by size.
    """
    labels = cluster(m, *outputs_by_input(m))
    ran = np.zeros(labels.max(initial=-1) + 1, dtype=bool)
    np.logical_or.at(ran, labels, (m.completed & m.voting).any(axis=1))
    return ScoredClusters(labels, np.where(ran, weights_by_label(labels, m.multiplicity), -np.inf))


def mbr_exec(m: Matrix, options: StrategyOptions) -> ScoredClusters:
    """Gives each program minus its mean disagreement: the share of inputs on which another program differs.

    A failed execution equals nothing, not even the same failure of another program. The clusters are those of equal
    outputs; 0 is unanimity. Source: MBR-Exec (arXiv 2204.11454), minimum Bayes risk with the soft loss. With its hard
    loss (any difference counts 1) it is `alphacode`.
    """
    symbols, columns = outputs_by_input(m)
    labels = cluster(m, symbols, columns)
    completed = np.where(m.completed[:, columns], symbols, SILENT)
    weights = m.multiplicity.astype(np.float64)
    agreement = agreeing_weight(completed, weights).sum(axis=1) / (weights.sum() * max(1, len(columns)))
    means = weights_by_label(labels, agreement) / np.bincount(labels)
    return ScoredClusters(labels, np.where(means > 0, means - 1, -np.inf), preference=agreement)


def max_pass(m: Matrix, options: MaxPassOptions) -> ScoredClusters:
    """Gives each cluster of equal passes the number of passed tests: the control that trusts tests and no program.

    A cluster that passes nothing is not eligible.
    """
    labels = signature_clusters(m, by_outputs=False)
    weights = m.test_counts if options.counts else np.ones_like(m.test_counts)
    passes = (m.passed[first_members(labels)] @ weights).astype(np.float64)
    return ScoredClusters(labels, np.where(passes > 0, passes, -np.inf))


def success_rate(m: Matrix, options: StrategyOptions) -> ScoredClusters:
    """Gives each program its execution rate e(r) as score (arXiv 2512.17385, ablation "success rate")."""
    return ScoredClusters(labels=np.arange(m.shape[0]), scores=execution_rate(m))


def low_ppl(m: Matrix, options: StrategyOptions) -> ScoredClusters:
    """Gives each program its mean log-probability as score, so that the lowest perplexity wins. Tests do not count.

    Raises ValueError without log-probabilities. Source: arXiv 2512.17385, ablation "low PPL".
    """
    if m.log_probs is None:
        raise ValueError("low_ppl needs log_probs, the mean token log-probability of every program")
    return ScoredClusters(labels=np.arange(m.shape[0]), scores=m.log_probs)


def random_choice(m: Matrix, options: RandomOptions) -> ScoredClusters:
    """Draws one sample uniformly, which gets score 1. Tests do not count.

    The draw depends on the programs' texts and the seed only, so that neither a shuffle nor a second run changes it.
    Source: arXiv 2512.17385, ablation "random".
    """
    n = m.shape[0]
    contents = zlib.crc32("\0".join(m.program_keys).encode("utf-8", "surrogatepass"))
    weights = m.multiplicity / m.multiplicity.sum()
    drawn = np.random.default_rng([options.seed, contents]).choice(n, p=weights)
    return ScoredClusters(labels=np.arange(n), scores=np.where(np.arange(n) == drawn, 1.0, 0.0))
