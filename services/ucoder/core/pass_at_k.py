"""pass@k without bias, and how far chance alone may have moved it.

Source of the estimator: arXiv 2107.03374, equation 1. Intervals are percentile bootstraps over tasks, because
tasks, not samples, are what a benchmark drew at random.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
RESAMPLES = 4000


@dataclass(frozen=True)
class Interval:
    """A mean with its bootstrap interval at `level`."""

    mean: float
    low: float
    high: float
    level: float


def pass_at_k(n: int, correct: int, k: int) -> float:
    """Chance that at least one of k samples drawn without replacement from n is among the `correct` ones.

    1 - C(n - c, k) / C(n, k), as a product that cannot overflow. ValueError unless 0 <= c <= n and 1 <= k <= n.
    """
    if not 0 <= correct <= n:
        raise ValueError(f"correct must be between 0 and n = {n}, not {correct}")
    if not 1 <= k <= n:
        raise ValueError(f"k must be between 1 and n = {n}, not {k}")
    if n - correct < k:
        return 1.0
    return float(1.0 - np.prod(1.0 - k / np.arange(n - correct + 1, n + 1)))


def bootstrap(
    values: Sequence[float] | Floats, resamples: int = RESAMPLES, level: float = 0.95, seed: int = 0
) -> Interval:
    """Mean of per-task values with its interval. No values: all NaN, for nothing was measured."""
    sample = np.asarray(values, dtype=np.float64)
    if sample.size == 0:
        return Interval(float("nan"), float("nan"), float("nan"), level)
    means = sample[_draws(sample.size, resamples, seed)].mean(axis=1)
    low, high = np.quantile(means, [(1 - level) / 2, (1 + level) / 2])
    return Interval(float(sample.mean()), float(low), float(high), level)


def paired_bootstrap(
    ours: Sequence[float] | Floats,
    theirs: Sequence[float] | Floats,
    resamples: int = RESAMPLES,
    level: float = 0.95,
    seed: int = 0,
) -> tuple[Interval, float]:
    """Interval of the mean of `ours - theirs` over the same tasks, and the share of resamples that ours does not win.

    Pairing removes the spread between tasks. ValueError when the two were not measured on equally many tasks.
    """
    if len(ours) != len(theirs):
        raise ValueError(f"paired values must be equally many, not {len(ours)} and {len(theirs)}")
    gain = np.asarray(ours, dtype=np.float64) - np.asarray(theirs, dtype=np.float64)
    interval = bootstrap(gain, resamples, level, seed)
    if gain.size == 0:
        return interval, float("nan")
    return interval, float((gain[_draws(gain.size, resamples, seed)].mean(axis=1) <= 0).mean())


def significance(ours: Sequence[float] | Floats, theirs: Sequence[float] | Floats) -> float:
    """Two-sided p of the paired bootstrap: 1 for equal values, at least 0; one resample is 2 / RESAMPLES."""
    (_, not_above), (_, not_below) = paired_bootstrap(ours, theirs), paired_bootstrap(theirs, ours)
    return min(1.0, 2 * min(not_above, not_below))


def _draws(size: int, resamples: int, seed: int) -> NDArray[np.int64]:
    return np.random.default_rng(seed).integers(0, size, (resamples, size))
