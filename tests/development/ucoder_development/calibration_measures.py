"""Fits the logistic map of the default strategy's confidence, and measures its calibration error."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ucoder.core.matrix import Floats
from ucoder.core.selection.confidence import Calibration


@dataclass(frozen=True)
class ReliabilityBin:
    """The selections of about equal confidence: their mean confidence, the share that is right, and their number."""

    confidence: float
    right: float
    size: int


def fit_calibration(features: Floats, right: Floats, weights: Floats | None = None, ridge: float = 3.0) -> Calibration:
    """Fits a map by maximum likelihood with a Gaussian prior on all weights but the first, by Newton's method.

    features: (n, d), the first column 1. right: (n,) 0 or 1. weights: (n,) how much each case counts. ridge: inverse
    variance of the prior on the weight of a standardised feature. It keeps a map of a few dozen cases from certainty.
    """
    counts = np.ones(len(right)) if weights is None else weights
    centre = np.average(features, axis=0, weights=counts)
    width = np.sqrt(np.average((features - centre) ** 2, axis=0, weights=counts))
    width[width == 0] = 1.0
    centre[0] = 0.0
    features = (features - centre) / width
    prior = np.full(features.shape[1], ridge)
    prior[0] = 1e-6
    solution = np.zeros(features.shape[1])
    for _ in range(100):
        p = Calibration(tuple(solution)).probability(features)
        slope = features.T @ (counts * (right - p)) - prior * solution
        curve = (features * (counts * p * (1 - p))[:, None]).T @ features + np.diag(prior)
        step = np.linalg.solve(curve, slope)
        solution = solution + step / max(1.0, float(np.abs(step).max()))
        if np.abs(step).max() < 1e-9:
            break
    solution = solution / width
    solution[0] -= solution @ centre
    return Calibration(tuple(float(w) for w in solution))


def log_odds_shift(log_odds: Floats, right: Floats, weights: Floats) -> float:
    """Returns the number to add to all (n,) log-odds so that the mean confidence is the weighted mean of (n,) right."""
    shift = 0.0
    for _ in range(50):
        p = 1.0 / (1.0 + np.exp(-(log_odds + shift)))
        shift += float(weights @ (right - p) / (weights @ (p * (1 - p))))
    return shift


def reliability(confidence: Floats, right: Floats, bins: int = 5, equal_counts: bool = False) -> list[ReliabilityBin]:
    """Returns the points of a reliability plot: bins of equal width without the empty ones, or of equal counts."""
    if equal_counts:
        parts: Sequence[np.ndarray[tuple[int], np.dtype[np.int64]]] = np.array_split(
            np.argsort(confidence, kind="stable"), bins
        )
    else:
        place = np.minimum((confidence * bins).astype(np.int64), bins - 1)
        parts = [np.flatnonzero(place == b) for b in range(bins)]
    return [ReliabilityBin(float(confidence[i].mean()), float(right[i].mean()), len(i)) for i in parts if len(i)]


def expected_calibration_error(confidence: Floats, right: Floats, bins: int = 5, equal_counts: bool = False) -> float:
    """Returns the mean distance of confidence and share right over the bins, by size (arXiv 1706.04599, eq. 3).

    confidence, right: (n,). With few cases the error is far from 0 even for a perfect confidence: compare it with
    `chance_level`.
    """
    points = reliability(confidence, right, bins, equal_counts)
    return sum(b.size * abs(b.confidence - b.right) for b in points) / max(1, len(right))


def chance_level(confidence: Floats, bins: int = 5, equal_counts: bool = False, draws: int = 400) -> float:
    """Returns the mean error that a perfectly calibrated confidence of these (n,) values would show by chance."""
    right = (np.random.default_rng(0).random((draws, len(confidence))) < confidence).astype(np.float64)
    return float(np.mean([expected_calibration_error(confidence, row, bins, equal_counts) for row in right]))


def coverage_at_precision(confidence: Floats, right: Floats, precision: float = 0.95) -> float:
    """Returns the largest share of cases that can be kept, most confident first, with at least this share right.

    confidence, right: (n,). Cases of equal confidence are kept or left out together.
    """
    order = np.argsort(-confidence, kind="stable")
    kept = np.arange(1, len(right) + 1)
    good = np.cumsum(right[order]) / kept >= precision
    whole = np.append(np.diff(confidence[order]) < 0, True)
    return float(kept[good & whole].max(initial=0)) / max(1, len(right))
