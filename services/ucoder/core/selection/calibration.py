"""How far a stated confidence can be believed, and the small map that makes it believable."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ucoder.core.matrix import Floats


@dataclass(frozen=True)
class Calibration:
    """A logistic map: confidence = 1 / (1 + exp(-(weights . features)))."""

    weights: tuple[float, ...]

    def probability(self, features: Floats) -> Floats:
        """(n,) confidences of (n, d) features, between 0 and 1."""
        return np.asarray(1.0 / (1.0 + np.exp(-np.clip(features @ np.array(self.weights), -30.0, 30.0))))


@dataclass(frozen=True)
class Bin:
    """Selections of about equal confidence: the mean of it, the share that is right, and how many."""

    confidence: float
    right: float
    size: int


def fit(features: Floats, right: Floats, weights: Floats | None = None, ridge: float = 3.0) -> Calibration:
    """Maximum likelihood under a Gaussian prior on all weights but the first, by Newton's method.

    features: (n, d), the first column 1. right: (n,) 0 or 1. weights: (n,) how much each case counts. ridge: inverse
    variance of the prior on the weight of a feature in its standard deviations, which keeps a map of a few dozen cases
    from certainty.
    """
    counts = np.ones(len(right)) if weights is None else weights
    centre = np.average(features, axis=0, weights=counts)
    width = np.sqrt(np.average((features - centre) ** 2, axis=0, weights=counts))
    width[width == 0] = 1.0
    centre[0] = 0.0
    features = (features - centre) / width
    prior = np.full(features.shape[1], ridge)
    prior[0] = 1e-6
    found = np.zeros(features.shape[1])
    for _ in range(100):
        p = Calibration(tuple(found)).probability(features)
        slope = features.T @ (counts * (right - p)) - prior * found
        curve = (features * (counts * p * (1 - p))[:, None]).T @ features + np.diag(prior)
        step = np.linalg.solve(curve, slope)
        found = found + step / max(1.0, float(np.abs(step).max()))
        if np.abs(step).max() < 1e-9:
            break
    found = found / width
    found[0] -= found @ centre
    return Calibration(tuple(float(w) for w in found))


def shift(log_odds: Floats, right: Floats, weights: Floats) -> float:
    """What must be added to all (n,) log-odds so that the mean confidence is the (n,) weighted share right."""
    found = 0.0
    for _ in range(50):
        p = 1.0 / (1.0 + np.exp(-(log_odds + found)))
        found += float(weights @ (right - p) / (weights @ (p * (1 - p))))
    return found


def reliability(confidence: Floats, right: Floats, bins: int = 5, equal_counts: bool = False) -> list[Bin]:
    """The reliability plot's points: `bins` of equal width, empty ones left out, or of equal counts."""
    if equal_counts:
        parts: Sequence[np.ndarray[tuple[int], np.dtype[np.int64]]] = np.array_split(
            np.argsort(confidence, kind="stable"), bins
        )
    else:
        place = np.minimum((confidence * bins).astype(np.int64), bins - 1)
        parts = [np.flatnonzero(place == b) for b in range(bins)]
    return [Bin(float(confidence[i].mean()), float(right[i].mean()), len(i)) for i in parts if len(i)]


def expected_calibration_error(confidence: Floats, right: Floats, bins: int = 5, equal_counts: bool = False) -> float:
    """Mean distance of confidence and share right over the bins, weighted by their sizes (arXiv 1706.04599, eq. 3).

    With few cases it is far from 0 even for a perfect confidence: compare it with `chance_level`.
    """
    found = reliability(confidence, right, bins, equal_counts)
    return sum(b.size * abs(b.confidence - b.right) for b in found) / max(1, len(right))


def chance_level(confidence: Floats, bins: int = 5, equal_counts: bool = False, draws: int = 400) -> float:
    """The error that a perfectly calibrated confidence of these values would show on average, by chance alone."""
    right = (np.random.default_rng(0).random((draws, len(confidence))) < confidence).astype(np.float64)
    return float(np.mean([expected_calibration_error(confidence, row, bins, equal_counts) for row in right]))


def coverage_at_precision(confidence: Floats, right: Floats, precision: float = 0.95) -> float:
    """Largest share of cases that can be kept, most confident first, with at least this share of them right.

    Cases of equal confidence are kept or left together.
    """
    order = np.argsort(-confidence, kind="stable")
    kept = np.arange(1, len(right) + 1)
    good = np.cumsum(right[order]) / kept >= precision
    whole = np.append(np.diff(confidence[order]) < 0, True)
    return float(kept[good & whole].max(initial=0)) / max(1, len(right))
