"""Can the answer still change? What lets a caller stop running candidates early.

Only for the default strategy, whose score is the log-odds of a cluster's share plus evidence that does not depend on
how many more samples come.
"""

from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from ucoder.core.clustering import Labels, weights_by_label
from ucoder.core.matrix import Floats, Matrix
from ucoder.core.selection.confidence import log_odds
from ucoder.core.selection.evidence import MOST_COMPLEX, EvidenceOptions, beyond_share, clusters, complexity, tried

FACE_VALUE = EvidenceOptions()
NEW_CLUSTERS = 24
"""New clusters followed in a simulated completion; smaller ones cannot win."""


class StopReason(StrEnum):
    """The reason why sampling or execution stopped before all programs of the budget had been run."""

    SETTLED = "settled"
    """The remaining programs cannot change the answer, or only with an accepted probability."""
    PARTIAL = "partial"
    """The time was over: the caller's, or that of the iteration."""


@dataclass(frozen=True)
class Outlook:
    """What the programs still to come can do to the winning cluster."""

    settled: bool
    """No outcome of the remaining programs can make another cluster win."""
    change: float
    """Probability that another cluster wins in the end, bounded from above by the simulation's own error."""


def outlook(m: Matrix, total: int, options: EvidenceOptions = FACE_VALUE, draws: int = 400, seed: int = 0) -> Outlook:
    """Outlook after the programs in `m`, of `total` samples in the end, drawn alike.

    `settled` is certain: it holds for every possible behaviour of the rest. `change` is estimated: `draws` completions
    of the sample are drawn from a Chinese restaurant process whose chance of a new cluster is Good and Turing's (the
    clusters seen once over the samples seen), a new cluster's evidence being that of a cluster seen once; the number
    of completions with another winner, plus 3 for the simulation's error (95%), over `draws` is returned.
    Looking often and stopping at the first `change` <= e could err more often: `ucoder bench consensus` measures it.
    ValueError when `total` is less than what is seen.
    """
    ordered = m.canonical()[0]
    seen = int(ordered.multiplicity.sum())
    if total < seen:
        raise ValueError(f"{seen} samples are seen, so the total cannot be {total}")
    if total == seen:
        return Outlook(settled=True, change=0.0)
    if seen == 0:
        return Outlook(settled=False, change=1.0)
    labels = clusters(ordered)
    sizes = weights_by_label(labels, ordered.multiplicity)
    rest = np.where(tried(ordered, labels), beyond_share(ordered, labels, options), -np.inf)
    leader = int(np.argmax(options.share * log_odds(sizes, seen) + rest))
    if rest[leader] == -np.inf:
        return Outlook(settled=False, change=1.0)
    if _settled(ordered, labels, rest, leader, total, options):
        return Outlook(settled=True, change=0.0)
    return Outlook(settled=False, change=_change(sizes, rest, leader, total, options, draws, seed))


def _settled(m: Matrix, labels: Labels, rest: Floats, leader: int, total: int, options: EvidenceOptions) -> bool:
    """Whether the leader at its worst beats everybody at their best, each bounded on its own."""
    sizes = weights_by_label(labels, m.multiplicity)
    more = total - int(sizes.sum())
    nodes = np.repeat(np.log(m.traits.nodes), m.multiplicity)
    drift = options.agreement * more / total
    steady = rest - options.simplicity * complexity(m, labels)
    # The leader's worst: newcomers of one node join it, or push the median up from outside.
    joining = np.arange(more + 1)
    mean = weights_by_label(labels, np.log(m.traits.nodes) * m.multiplicity)[leader] / (sizes[leader] + joining)
    median = float(np.sort(np.append(nodes, np.full(more, 1e9)))[total // 2])
    worst = (
        options.share * log_odds(sizes[leader] + joining, total)
        + options.simplicity * np.minimum(mean - median, MOST_COMPLEX)
        + (steady[leader] - drift)
    ).min()
    others = np.delete(options.share * log_odds(sizes + more, total) + steady, leader).max(initial=-np.inf) + drift
    newcomer = options.share * log_odds(np.array([float(more)]), total)[0] + options.agreement
    newcomer += options.passes * np.log1p(np.sqrt(m.test_counts).sum())
    return bool(worst > max(float(others), float(newcomer)) + options.simplicity * MOST_COMPLEX)


def _change(
    sizes: Floats, rest: Floats, leader: int, total: int, options: EvidenceOptions, draws: int, seed: int
) -> float:
    rng = np.random.default_rng(seed)
    seen = float(sizes.sum())
    once = rest[sizes == 1]
    newness = min(0.999, max(1, len(once)) / (seen + 1))
    fresh = seen * newness / (1 - newness)
    more = rng.multinomial(int(total - seen), _dirichlet(rng, np.append(sizes, fresh), draws))
    old = options.share * log_odds(sizes + more[:, :-1], total) + rest
    # The newcomers' own clusters: the sticks of a broken stick, largest first on average.
    cuts = rng.beta(1.0, fresh, (draws, NEW_CLUSTERS))
    sticks = cuts * np.cumprod(np.column_stack([np.ones(draws), 1 - cuts[:, :-1]]), axis=1)
    new_sizes = rng.binomial(more[:, -1:], sticks).astype(np.float64)
    evidence = rng.choice(once if len(once) else rest[np.isfinite(rest)], new_sizes.shape)
    new = np.where(new_sizes > 0, options.share * log_odds(new_sizes, total) + evidence, -np.inf)
    changed = (old.argmax(axis=1) != leader) | (new.max(axis=1) > old[:, leader])
    return min(1.0, (float(changed.sum()) + 3.0) / draws)


def _dirichlet(rng: np.random.Generator, shapes: Floats, draws: int) -> Floats:
    """(draws, K) probabilities; by gammas, because `Generator.dirichlet` underflows for small shapes."""
    gammas = rng.gamma(shapes, size=(draws, len(shapes)))
    return np.asarray(gammas / gammas.sum(axis=1, keepdims=True))
