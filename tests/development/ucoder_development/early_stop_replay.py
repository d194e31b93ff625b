"""Measures how many programs stopping early saves and what it costs, by replaying samples in several orders."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ucoder.core.selection import Selection, select
from ucoder.core.selection.convergence import forecast_winner
from ucoder_development.executed_tasks import ExecutedTask

FIRST_CHECK, STEP = 16, 8
STATED_ERRORS = (0.02, 0.05, 0.1)
ORDERS = 10
"""Random orders besides the file's own."""


@dataclass(frozen=True)
class StoppingReplay:
    """The result for all tasks in one order of their samples. Percentages, except the first."""

    saved: float
    """Mean share of the programs that were not sampled."""
    changed: float
    """Of the tasks that stopped early, those whose program is not in the winning cluster of the full sample."""
    pass_at_1: float
    expected: float
    """pass@1 when a random member of the winning cluster is taken. Stopping may change the member that is taken without
    changing the cluster; in clusters of right and wrong programs that is luck."""


@dataclass(frozen=True)
class StoppingResult:
    """The results at one stated error: in the file's own order, and mean and standard deviation over random orders."""

    stated_error: float
    in_order: StoppingReplay
    shuffled: StoppingReplay
    spread: StoppingReplay
    pass_at_1_full: float
    expected_full: float


def replay_early_stopping(tasks: Sequence[ExecutedTask]) -> list[StoppingResult]:
    """Replays programs one after another: from 16 on, every 8th is a check that stops at `change` <= stated error."""
    full = [select(task.matrix) for task in tasks]
    orders = [_orders(number, task) for number, task in enumerate(tasks)]
    changes = [[_checks(task, order) for order in own_orders] for task, own_orders in zip(tasks, orders, strict=True)]
    found = []
    for error in STATED_ERRORS:
        replays = [
            _replay(tasks, full, [some[i] for some in orders], [some[i] for some in changes], error)
            for i in range(1 + ORDERS)
        ]
        rest = np.array([(one.saved, one.changed, one.pass_at_1, one.expected) for one in replays[1:]])
        found.append(
            StoppingResult(
                stated_error=error,
                in_order=replays[0],
                shuffled=StoppingReplay(*rest.mean(axis=0).tolist()),
                spread=StoppingReplay(*rest.std(axis=0).tolist()),
                pass_at_1_full=100
                * float(np.mean([_right(task, one)[0] for task, one in zip(tasks, full, strict=True)])),
                expected_full=100
                * float(np.mean([_right(task, one)[1] for task, one in zip(tasks, full, strict=True)])),
            )
        )
    return found


def _orders(number: int, task: ExecutedTask) -> list[NDArray[np.int64]]:
    """Returns the order of the file, then random ones."""
    n = task.matrix.shape[0]
    return [np.arange(n), *(np.random.default_rng((number, i)).permutation(n) for i in range(ORDERS))]


def _checks(task: ExecutedTask, order: NDArray[np.int64]) -> dict[int, float]:
    """Returns programs -> probability of a change, up to the check at which every stated error has stopped."""
    n, m = task.matrix.shape
    found: dict[int, float] = {}
    for seen in range(FIRST_CHECK, n, STEP):
        found[seen] = forecast_winner(task.matrix.take(order[:seen], np.arange(m)), n).change_probability
        if found[seen] <= min(STATED_ERRORS):
            break
    return found


def _replay(
    tasks: Sequence[ExecutedTask],
    full: Sequence[Selection],
    orders: Sequence[NDArray[np.int64]],
    checks: Sequence[dict[int, float]],
    error: float,
) -> StoppingReplay:
    saved, changed, right = [], [], []
    for task, whole, order, changes in zip(tasks, full, orders, checks, strict=True):
        n, m = task.matrix.shape
        stop = next((seen for seen, change in changes.items() if change <= error), n)
        early = whole if stop == n else select(task.matrix.take(order[:stop], np.arange(m)))
        right.append(_right(task, early, None if stop == n else order))
        saved.append(1 - stop / n)
        if stop < n:
            changed.append(early.winner is None or int(order[early.winner]) not in whole.clusters[0].members)
    one, expected = np.mean(right, axis=0)
    return StoppingReplay(
        float(np.mean(saved)), 100 * float(np.mean(changed or [False])), 100 * float(one), 100 * float(expected)
    )


def _right(task: ExecutedTask, chosen: Selection, order: NDArray[np.int64] | None = None) -> tuple[float, float]:
    """Returns 1 where the winner is right, and the share of its cluster that is right; an abstention is wrong."""
    if chosen.winner is None:
        return 0.0, 0.0
    places = np.array([chosen.winner, *chosen.clusters[0].members])
    right = task.right[places if order is None else order[places]]
    return float(right[0]), float(right[1:].mean())
