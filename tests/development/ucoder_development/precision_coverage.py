"""Measures how many tasks can be kept when 95% of the kept answers must be right: ours compared with CodeT's."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ucoder.core.matrix import Floats
from ucoder.core.pass_at_k import Interval
from ucoder.core.selection import Selection, select
from ucoder_development.calibration_measures import coverage_at_precision
from ucoder_development.executed_tasks import ExecutedTask

RESAMPLES = 2000


@dataclass(frozen=True)
class Coverage:
    """Shares of the tasks that can be kept, most confident first.

    With fewer than 20 kept tasks none may be wrong, from 20 on one may: on a few dozen tasks these numbers jump.
    """

    mean: float
    """Mean over the draws of the folds; then the least and the largest of them."""
    least: float
    most: float
    codet: float
    """With the one of CodeT's own numbers that keeps most: its cluster's share, its score, its score's share of all."""
    codet_by: str
    ratio: Interval
    """The mean of ours divided by CodeT's, with a 95% bootstrap interval over tasks and draws."""


def measure_coverage(tasks: Sequence[ExecutedTask], draws: Sequence[Floats], right: Floats) -> Coverage:
    """Compares coverage. draws: held-out confidences of all tasks, one array per draw. right: 1 where ours is right."""
    kept = [coverage_at_precision(one, right) for one in draws]
    theirs, codet_right = codet_confidences(tasks)
    by = max(theirs, key=lambda name: coverage_at_precision(theirs[name], codet_right))
    least = 1 / len(tasks)  # where CodeT keeps no task the ratio is that to a single task
    rng, ratios = np.random.default_rng(0), []
    for number in range(RESAMPLES):
        drawn = rng.integers(0, len(tasks), len(tasks))
        ours = coverage_at_precision(draws[number % len(draws)][drawn], right[drawn])
        ratios.append(ours / max(least, coverage_at_precision(theirs[by][drawn], codet_right[drawn])))
    low, high = np.quantile(ratios, [0.025, 0.975])
    mean, their_own = float(np.mean(kept)), coverage_at_precision(theirs[by], codet_right)
    ratio = Interval(mean / max(least, their_own), float(low), float(high), 0.95)
    return Coverage(mean, min(kept), max(kept), their_own, by, ratio)


def codet_confidences(tasks: Sequence[ExecutedTask]) -> tuple[dict[str, Floats], Floats]:
    """Returns the numbers that CodeT offers as a confidence, by name, and whether its selections are right; by task."""
    chosen = [select(task.matrix, "codet") for task in tasks]
    scores = [[cluster.score for cluster in one.clusters if np.isfinite(cluster.score)] or [0.0] for one in chosen]
    offered = {
        "share": np.array([one.confidence for one in chosen]),
        "score": np.array([some[0] for some in scores]),
        "share of scores": np.array([some[0] / max(1e-9, sum(some)) for some in scores]),
    }
    return offered, np.array([_is_right(task, one) for task, one in zip(tasks, chosen, strict=True)])


def _is_right(task: ExecutedTask, chosen: Selection) -> float:
    return 0.0 if chosen.winner is None else float(task.right[chosen.winner])
