"""The unbiased estimator of pass@k, and bootstrap intervals of its mean over tasks.

Source of the estimator: arXiv 2107.03374, equation 1. Intervals are percentile bootstraps over tasks, because a
benchmark drew its tasks at random, not its samples.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ucoder.core.matrix import Floats

RESAMPLES = 4000
"""The number of bootstrap resamples."""


@dataclass(frozen=True)
class Interval:
    """A mean with its bootstrap interval at the confidence `level` (0 to 1)."""

    mean: float
    low: float
    high: float
    level: float


def pass_at_k(n: int, correct: int, k: int) -> float:
    """Returns the probability that at least one of k samples, drawn from n without replacement, is correct.

    It is 1 - C(n - c, k) / C(n, k) with c = `correct`, as a product that cannot overflow. Raises ValueError unless
    0 <= c <= n and 1 <= k <= n.
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
    """Returns the mean of per-task values with its interval. Without values all numbers are NaN."""
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
    """Returns the interval of the mean of `ours - theirs`, and the share of resamples in which ours does not win.

    Both hold one value per task, in the same order of tasks: pairing removes the spread between tasks. Raises
    ValueError when their numbers of tasks differ.
    """
    if len(ours) != len(theirs):
        raise ValueError(f"paired values must be equally many, not {len(ours)} and {len(theirs)}")
    gain = np.asarray(ours, dtype=np.float64) - np.asarray(theirs, dtype=np.float64)
    interval = bootstrap(gain, resamples, level, seed)
    if gain.size == 0:
        return interval, float("nan")
    return interval, float((gain[_draws(gain.size, resamples, seed)].mean(axis=1) <= 0).mean())


def significance(ours: Sequence[float] | Floats, theirs: Sequence[float] | Floats) -> float:
    """Returns the two-sided p-value of the paired bootstrap, 0 to 1 in steps of 2 / RESAMPLES. Equal values have 1."""
    (_, not_above), (_, not_below) = paired_bootstrap(ours, theirs), paired_bootstrap(theirs, ours)
    return min(1.0, 2 * min(not_above, not_below))


def _draws(size: int, resamples: int, seed: int) -> NDArray[np.int64]:
    return np.random.default_rng(seed).integers(0, size, (resamples, size))
