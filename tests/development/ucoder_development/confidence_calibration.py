"""Measures the calibration of the default strategy's confidence by cross-validation over tasks."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ucoder.core.matrix import Bools, Floats, Matrix
from ucoder.core.selection import select
from ucoder.core.selection.confidence import FITTED, Calibration, confidence_features
from ucoder.core.selection.evidence import eligible_programs
from ucoder_development.calibration_measures import (
    ReliabilityBin,
    chance_level,
    expected_calibration_error,
    fit_calibration,
    log_odds_shift,
    reliability,
)
from ucoder_development.executed_tasks import ExecutedTask
from ucoder_development.precision_coverage import Coverage, measure_coverage

FOLDS, DRAWS = 10, 20
SMALLER = ((0.5, 0.6), (0.32, 1.0), (0.25, 0.3), (0.125, 0.3))
"""Shares of the programs and of the tests that smaller copies of every task keep. The map is fitted on these and on the
task itself, so that it also holds for fewer programs and tests."""
COPIES = 4
"""Copies of each size; together they weigh as much as the task itself."""


@dataclass(frozen=True)
class CalibrationReport:
    """The calibration of the winners' confidences. Each comes from a map that was fitted without its task."""

    error_5_bins: float
    chance_5_bins: float
    error_10_bins: float
    chance_10_bins: float
    error_shipped: float
    """In 5 bins, of the shipped numbers in core/selection/confidence.py, which were fitted on these tasks."""
    auc: float
    """Probability that a right selection has more confidence than a wrong one."""
    coverage: Coverage
    reliability: tuple[ReliabilityBin, ...]
    held_out: tuple[float, ...]
    """The mean confidence of each task over the draws; 0 where it has no winner."""
    right: tuple[float, ...]
    """1 for each task whose selection is right, else 0."""


@dataclass(frozen=True, eq=False)
class _Cases:
    """Winners, one a row: features, whether right, the number of the task, and the weight."""

    features: Floats
    right: Floats
    task: Floats
    weight: Floats


def measure_calibration(tasks: Sequence[ExecutedTask]) -> CalibrationReport:
    """Cross-validates by task with ten folds, which are drawn twenty times; the numbers are means over the draws."""
    cases = _cases(tasks)
    own = cases.weight == 1
    right = cases.right[own]
    draws = [_held_out(cases, own, seed) for seed in range(DRAWS)]
    pooled, truths = np.concatenate(draws), np.tile(right, DRAWS)
    shipped = FITTED.probability(cases.features[own])
    place = cases.task[own].astype(np.int64)
    by_task = [_spread(draw, place, len(tasks)) for draw in draws]
    return CalibrationReport(
        error_5_bins=_mean(expected_calibration_error(p, right, 5) for p in draws),
        chance_5_bins=_mean(chance_level(p, 5, draws=50) for p in draws),
        error_10_bins=_mean(expected_calibration_error(p, right, 10) for p in draws),
        chance_10_bins=_mean(chance_level(p, 10, draws=50) for p in draws),
        error_shipped=expected_calibration_error(shipped, right, 5),
        auc=_mean(_auc(p, right) for p in draws),
        coverage=measure_coverage(tasks, by_task, _spread(right, place, len(tasks))),
        reliability=tuple(reliability(pooled, truths, 5)),
        held_out=tuple(np.mean(by_task, axis=0).tolist()),
        right=tuple(_spread(right, place, len(tasks)).tolist()),
    )


def _spread(values: Floats, place: NDArray[np.int64], size: int) -> Floats:
    """Returns an array of `size` with the values at their places and 0 elsewhere."""
    spread = np.zeros(size)
    spread[place] = values
    return spread


def _held_out(cases: _Cases, own: Bools, seed: int) -> Floats:
    """Returns the confidence of every whole task, from a map fitted without the tasks of its fold."""
    fold = (np.random.default_rng(seed).permutation(int(cases.task.max()) + 1) % FOLDS)[cases.task.astype(np.int64)]
    confidence = np.zeros(len(fold))
    for number in range(FOLDS):
        held_out = fold == number
        trained = fit_calibration(cases.features[~held_out], cases.right[~held_out], cases.weight[~held_out])
        confidence[held_out] = trained.probability(cases.features[held_out])
    return confidence[own]


def _auc(confidence: Floats, right: Floats) -> float:
    better = confidence[right == 1][:, None] - confidence[right == 0][None, :]
    return float(((better > 0) + 0.5 * (better == 0)).mean()) if better.size else float("nan")


def _mean(values: Iterable[float]) -> float:
    return float(np.mean(list(values)))


def fit_confidence(tasks: Sequence[ExecutedTask]) -> Calibration:
    """Fits the map on all tasks: core/selection/confidence.py holds its rounded numbers.

    Where the tests of most tasks expect nothing, only its last number is fitted, on the whole tasks.
    """
    cases = _cases(tasks)
    if cases.features[:, -1].mean() < 0.5:
        return fit_calibration(cases.features, cases.right, cases.weight)
    log_odds = cases.features[:, :-1] @ np.array(FITTED.weights[:-1])
    whole = (cases.weight == 1).astype(np.float64)
    return Calibration((*FITTED.weights[:-1], log_odds_shift(log_odds, cases.right, whole)))


def _cases(tasks: Sequence[ExecutedTask]) -> _Cases:
    """Returns features of the winner of every task and of its smaller copies. Tasks without a winner are left out."""
    features, right, number, weight = [], [], [], []
    rng = np.random.default_rng(1)
    for at, task in enumerate(tasks):
        n, m = task.matrix.shape
        parts = [(np.arange(n), np.arange(m))] + [
            (rng.choice(n, max(1, int(n * few)), replace=False), rng.choice(m, int(np.ceil(m * some)), replace=False))
            for few, some in SMALLER
            for _ in range(COPIES)
        ]
        for copy, (programs, tests) in enumerate(parts):
            matrix = task.matrix.take(programs, tests)
            found = _winner_features(matrix)
            if found is not None:
                winner, row = found
                features.append(row)
                right.append(task.right[programs[winner]])
                number.append(float(at))
                weight.append(1.0 if copy == 0 else 1.0 / COPIES)
    return _Cases(np.array(features), np.array(right), np.array(number), np.array(weight))


def _winner_features(matrix: Matrix) -> tuple[int, Floats] | None:
    chosen = select(matrix)
    if chosen.winner is None:
        return None
    members = np.array(chosen.clusters[0].members)
    return chosen.winner, confidence_features(matrix, members, chosen.winner, eligible_programs(matrix))
