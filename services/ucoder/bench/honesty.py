"""Whether the default strategy's confidence means what it says: fitted on some tasks, judged on others."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ucoder.bench.executed import Task
from ucoder.core.calibration import (
    Bin,
    Calibration,
    chance_level,
    coverage_at_precision,
    expected_calibration_error,
    fit,
    reliability,
)
from ucoder.core.confidence import of_programs
from ucoder.core.matrix import Floats, Matrix
from ucoder.core.selection import select
from ucoder.core.selection.evidence import log_odds

FOLDS = 10
RESAMPLES = 4
"""Halved copies of every task that the map is fitted on beside the task itself, so that it also holds for fewer
programs and tests; together they weigh as much as it."""


@dataclass(frozen=True)
class Honesty:
    """Of the winners' confidences, each from a map that has not seen its task."""

    error_5_bins: float
    chance_5_bins: float
    error_10_bins: float
    chance_10_bins: float
    error_shipped: float
    """In 5 bins, of the numbers in core/confidence.py, which have seen these tasks."""
    auc: float
    """Chance that a right selection has more confidence than a wrong one."""
    coverage: float
    """Share of tasks kept at 95% precision."""
    reliability: tuple[Bin, ...]


@dataclass(frozen=True, eq=False)
class _Cases:
    features: Floats
    right: Floats
    task: Floats
    weight: Floats


def honesty(tasks: Sequence[Task]) -> Honesty:
    """Ten-fold cross-validation by task, the folds drawn once with a fixed seed."""
    cases = _cases(tasks)
    own = np.flatnonzero(cases.weight == 1)
    fold = np.random.default_rng(0).permutation(len(tasks)) % FOLDS
    confidence = np.zeros(len(tasks))
    for number in range(FOLDS):
        apart = fold[cases.task.astype(np.int64)] == number
        trained = fit(cases.features[~apart], cases.right[~apart], cases.weight[~apart])
        judged = own[apart[own]]
        confidence[cases.task[judged].astype(np.int64)] = trained.probability(cases.features[judged])
    right = np.zeros(len(tasks))
    right[cases.task[own].astype(np.int64)] = cases.right[own]
    shipped = np.array([select(task.matrix).confidence for task in tasks])
    better = confidence[right == 1][:, None] - confidence[right == 0][None, :]
    return Honesty(
        error_5_bins=expected_calibration_error(confidence, right, 5),
        chance_5_bins=chance_level(confidence, 5),
        error_10_bins=expected_calibration_error(confidence, right, 10),
        chance_10_bins=chance_level(confidence, 10),
        error_shipped=expected_calibration_error(shipped, right, 5),
        auc=float(((better > 0) + 0.5 * (better == 0)).mean()) if better.size else float("nan"),
        coverage=coverage_at_precision(confidence, right),
        reliability=tuple(reliability(confidence, right, 5)),
    )


def fitted_map(tasks: Sequence[Task]) -> Calibration:
    """The map fitted on all tasks: what core/confidence.py holds, rounded."""
    cases = _cases(tasks)
    return fit(cases.features, cases.right, cases.weight)


def _cases(tasks: Sequence[Task]) -> _Cases:
    """Features of the winner of every task and of its halved copies; tasks without a winner are left out."""
    features, right, number, weight = [], [], [], []
    rng = np.random.default_rng(1)
    for at, task in enumerate(tasks):
        n, m = task.matrix.shape
        everything = (np.arange(n), np.arange(m))
        halves = [
            (rng.choice(n, max(1, n // 2), replace=False), rng.choice(m, -(-m // 2), replace=False))
            for _ in range(RESAMPLES)
        ]
        for copy, (programs, tests) in enumerate([everything, *halves]):
            matrix = task.matrix.take(programs, tests)
            found = _winner_features(matrix)
            if found is not None:
                winner, row = found
                features.append(row)
                right.append(task.right[programs[winner]])
                number.append(float(at))
                weight.append(1.0 if copy == 0 else 1.0 / RESAMPLES - 1e-9)
    return _Cases(np.array(features), np.array(right), np.array(number), np.array(weight))


def _winner_features(matrix: Matrix) -> tuple[int, Floats] | None:
    chosen = select(matrix)
    if chosen.winner is None:
        return None
    total = float(matrix.multiplicity.sum())
    odds = log_odds(np.array([chosen.clusters[0].share * total]), total)
    return chosen.winner, of_programs(odds, matrix.traits, np.array([chosen.winner]))[0]
