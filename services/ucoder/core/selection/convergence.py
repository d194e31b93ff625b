"""Early stopping: forecasts whether the programs still to come can change the winner of the default strategy.

Only the default strategy can be forecast: its score is the log-odds of a cluster's share plus evidence that does not
depend on how many more samples come.
"""

from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from ucoder.core.clustering import Labels, weights_by_label
from ucoder.core.matrix import Floats, Matrix
from ucoder.core.selection.confidence import log_odds
from ucoder.core.selection.evidence import (
    MOST_COMPLEX,
    EvidenceOptions,
    behaviour_clusters,
    eligible_clusters,
    evidence_beside_share,
    relative_size,
)

DEFAULT_OPTIONS = EvidenceOptions()
NEW_CLUSTERS = 24
"""The number of new clusters that a simulated completion follows. Smaller ones cannot win."""


class EarlyStop(StrEnum):
    """The reasons why an answer was given before all programs had run."""

    SETTLED = "settled"
    """The remaining programs cannot, or most probably will not, change the winner."""
    PARTIAL = "partial"
    """The time was up."""


@dataclass(frozen=True)
class WinnerForecast:
    """The effect that the programs still to come can have on the winning cluster."""

    settled: bool
    """No behaviour of the remaining programs can make another cluster win."""
    change_probability: float
    """Upper bound (95%) of the probability, 0 to 1, that another cluster wins in the end."""


def forecast_winner(
    m: Matrix, total: int, options: EvidenceOptions = DEFAULT_OPTIONS, draws: int = 400, seed: int = 0
) -> WinnerForecast:
    """Forecasts the winner after `total` samples, of which those in `m` are known and the rest is drawn alike.

    `settled` is certain: it holds for every possible behaviour of the rest. `change_probability` is simulated: `draws`
    completions of the sample are drawn from a Chinese restaurant process. Its chance of a new cluster is Good and
    Turing's (clusters seen once over samples seen), and a new cluster has the evidence of a cluster seen once. The
    result is the number of completions with another winner, plus 3 for the simulation's error (95%), over `draws`.
    A caller that asks often and stops at the first value <= e could err more often than e: `ucoder bench consensus`
    measures it. Raises ValueError when `total` is less than the number of samples in `m`.
    """
    ordered = m.canonical()[0]
    seen = int(ordered.multiplicity.sum())
    if total < seen:
        raise ValueError(f"{seen} samples are seen, so the total cannot be {total}")
    if total == seen:
        return WinnerForecast(settled=True, change_probability=0.0)
    if seen == 0:
        return WinnerForecast(settled=False, change_probability=1.0)
    labels = behaviour_clusters(ordered)
    sizes = weights_by_label(labels, ordered.multiplicity)
    beside_share = evidence_beside_share(ordered, labels, options)
    fixed = np.where(eligible_clusters(ordered, labels), beside_share, -np.inf)
    leader = int(np.argmax(options.share * log_odds(sizes, seen) + fixed))
    if fixed[leader] == -np.inf:
        return WinnerForecast(settled=False, change_probability=1.0)
    if _is_settled(ordered, labels, fixed, leader, total, options):
        return WinnerForecast(settled=True, change_probability=0.0)
    return WinnerForecast(False, _change_probability(sizes, fixed, leader, total, options, draws, seed))


def _is_settled(m: Matrix, labels: Labels, fixed: Floats, leader: int, total: int, options: EvidenceOptions) -> bool:
    """Returns whether the leader's least score is above every other cluster's greatest, each bounded on its own.

    fixed: (K,) evidence beside the share.
    """
    sizes = weights_by_label(labels, m.multiplicity)
    more = total - int(sizes.sum())
    nodes = np.repeat(np.log(m.features.nodes), m.multiplicity)
    drift = options.agreement * more / total
    without_size = fixed - options.simplicity * relative_size(m, labels)
    # The leader's worst case: new programs of one node join it, or larger ones raise the median from outside.
    joining = np.arange(more + 1)
    mean = weights_by_label(labels, np.log(m.features.nodes) * m.multiplicity)[leader] / (sizes[leader] + joining)
    median = float(np.sort(np.append(nodes, np.full(more, 1e9)))[total // 2])
    worst = (
        options.share * log_odds(sizes[leader] + joining, total)
        + options.simplicity * np.minimum(mean - median, MOST_COMPLEX)
        + (without_size[leader] - drift)
    ).min()
    grown = options.share * log_odds(sizes + more, total) + without_size
    others = np.delete(grown, leader).max(initial=-np.inf) + drift
    newcomer = options.share * log_odds(np.array([float(more)]), total)[0] + options.agreement
    newcomer += options.passes * np.log1p(np.sqrt(m.test_counts).sum())
    return bool(worst > max(float(others), float(newcomer)) + options.simplicity * MOST_COMPLEX)


def _change_probability(
    sizes: Floats, fixed: Floats, leader: int, total: int, options: EvidenceOptions, draws: int, seed: int
) -> float:
    """Simulates completions; returns the upper bound of the share in which the leader loses. sizes, fixed: (K,)."""
    rng = np.random.default_rng(seed)
    seen = float(sizes.sum())
    once = fixed[sizes == 1]
    newness = min(0.999, max(1, len(once)) / (seen + 1))
    concentration = seen * newness / (1 - newness)
    more = rng.multinomial(int(total - seen), _dirichlet(rng, np.append(sizes, concentration), draws))
    old = options.share * log_odds(sizes + more[:, :-1], total) + fixed
    # Stick breaking gives the sizes of the new clusters, the largest first on average.
    cuts = rng.beta(1.0, concentration, (draws, NEW_CLUSTERS))
    sticks = cuts * np.cumprod(np.column_stack([np.ones(draws), 1 - cuts[:, :-1]]), axis=1)
    new_sizes = rng.binomial(more[:, -1:], sticks).astype(np.float64)
    evidence = rng.choice(once if len(once) else fixed[np.isfinite(fixed)], new_sizes.shape)
    new = np.where(new_sizes > 0, options.share * log_odds(new_sizes, total) + evidence, -np.inf)
    changed = (old.argmax(axis=1) != leader) | (new.max(axis=1) > old[:, leader])
    return min(1.0, (float(changed.sum()) + 3.0) / draws)


def _dirichlet(rng: np.random.Generator, shapes: Floats, draws: int) -> Floats:
    """Draws (draws, K) probabilities by gammas, because `Generator.dirichlet` underflows for small shapes."""
    gammas = rng.gamma(shapes, size=(draws, len(shapes)))
    return np.asarray(gammas / gammas.sum(axis=1, keepdims=True))
