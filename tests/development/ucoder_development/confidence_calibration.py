"""Whether the default strategy's confidence means what it says: fitted on some tasks, judged on others."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ucoder.core.matrix import Bools, Floats, Matrix
from ucoder.core.selection import select
from ucoder.core.selection.calibration import (
    Calibration,
    ReliabilityBin,
    chance_level,
    expected_calibration_error,
    fit_calibration,
    log_odds_shift,
    reliability,
)
from ucoder.core.selection.confidence import FITTED, confidence_features
from ucoder.core.selection.evidence import eligible_programs
from ucoder_development.executed_tasks import Task
from ucoder_development.precision_coverage import Coverage, coverage

FOLDS, DRAWS = 10, 20
SMALLER = ((0.5, 0.6), (0.32, 1.0), (0.25, 0.3), (0.125, 0.3))
"""Shares of the programs and of the tests that are kept in smaller copies of every task. The map is fitted on these
beside the task itself, so that it also holds for fewer programs and tests."""
COPIES = 4
"""Of each size; together they weigh as much as the task itself."""


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
    coverage: Coverage
    reliability: tuple[ReliabilityBin, ...]
    held_out: tuple[float, ...]
    """By task the mean over the draws; 0 where there is no winner."""
    right: tuple[float, ...]
    """By task."""


@dataclass(frozen=True, eq=False)
class _Cases:
    features: Floats
    right: Floats
    task: Floats
    weight: Floats


def honesty(tasks: Sequence[Task]) -> Honesty:
    """Ten-fold cross-validation by task, the folds drawn twenty times; figures are means over the draws."""
    cases = _cases(tasks)
    own = cases.weight == 1
    right = cases.right[own]
    draws = [_held_out(cases, own, seed) for seed in range(DRAWS)]
    pooled, truths = np.concatenate(draws), np.tile(right, DRAWS)
    shipped = FITTED.probability(cases.features[own])
    place = cases.task[own].astype(np.int64)
    by_task = [_spread(draw, place, len(tasks)) for draw in draws]
    return Honesty(
        error_5_bins=_mean(expected_calibration_error(p, right, 5) for p in draws),
        chance_5_bins=_mean(chance_level(p, 5, draws=50) for p in draws),
        error_10_bins=_mean(expected_calibration_error(p, right, 10) for p in draws),
        chance_10_bins=_mean(chance_level(p, 10, draws=50) for p in draws),
        error_shipped=expected_calibration_error(shipped, right, 5),
        auc=_mean(_auc(p, right) for p in draws),
        coverage=coverage(tasks, by_task, _spread(right, place, len(tasks))),
        reliability=tuple(reliability(pooled, truths, 5)),
        held_out=tuple(np.mean(by_task, axis=0).tolist()),
        right=tuple(_spread(right, place, len(tasks)).tolist()),
    )


def _spread(values: Floats, place: NDArray[np.int64], size: int) -> Floats:
    """Values at their places among `size`, 0 elsewhere."""
    spread = np.zeros(size)
    spread[place] = values
    return spread


def _held_out(cases: _Cases, own: Bools, seed: int) -> Floats:
    """Confidence of every whole task from a map fitted without the tasks of its fold."""
    fold = (np.random.default_rng(seed).permutation(int(cases.task.max()) + 1) % FOLDS)[cases.task.astype(np.int64)]
    confidence = np.zeros(len(fold))
    for number in range(FOLDS):
        apart = fold == number
        trained = fit_calibration(cases.features[~apart], cases.right[~apart], cases.weight[~apart])
        confidence[apart] = trained.probability(cases.features[apart])
    return confidence[own]


def _auc(confidence: Floats, right: Floats) -> float:
    better = confidence[right == 1][:, None] - confidence[right == 0][None, :]
    return float(((better > 0) + 0.5 * (better == 0)).mean()) if better.size else float("nan")


def _mean(values: Iterable[float]) -> float:
    return float(np.mean(list(values)))


def fitted_map(tasks: Sequence[Task]) -> Calibration:
    """The map fitted on all tasks: what core/confidence.py holds, rounded. Where most tasks' tests state nothing to
    expect only its last number is fitted, on the whole tasks."""
    cases = _cases(tasks)
    if cases.features[:, -1].mean() < 0.5:
        return fit_calibration(cases.features, cases.right, cases.weight)
    log_odds = cases.features[:, :-1] @ np.array(FITTED.weights[:-1])
    whole = (cases.weight == 1).astype(np.float64)
    return Calibration((*FITTED.weights[:-1], log_odds_shift(log_odds, cases.right, whole)))


def _cases(tasks: Sequence[Task]) -> _Cases:
    """Features of the winner of every task and of its smaller copies; tasks without a winner are left out."""
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
