"""How many programs need not be drawn, and what stopping early costs: samples replayed in their order and others."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ucoder.core.selection import Selection, select
from ucoder.core.selection.convergence import forecast_winner
from ucoder_development.executed_tasks import Task

FIRST_LOOK, STEP = 16, 8
STATED = (0.02, 0.05, 0.1)
ORDERS = 10
"""Random orders beside the file's own."""


@dataclass(frozen=True)
class Replay:
    """All tasks in one order of their samples. Percentages, but for the first."""

    saved: float
    """Mean share of the programs that were not drawn."""
    changed: float
    """Of the tasks that stopped early, those where the full sample's winning cluster does not hold the program."""
    pass_at_1: float
    expected: float
    """The same when a random member of the winning cluster is taken: a stop that changes no cluster may still change
    which of its members is taken, and in clusters of right and wrong programs that is luck either way."""


@dataclass(frozen=True)
class Stopping:
    """At one stated error: the file's own order, and the mean and standard deviation over random orders."""

    stated_error: float
    in_order: Replay
    shuffled: Replay
    spread: Replay
    pass_at_1_full: float
    expected_full: float


def early_stopping(tasks: Sequence[Task]) -> list[Stopping]:
    """Programs come one after another, are looked at every 8 from 16 on, and stop at `change` <= stated error."""
    full = [select(task.matrix) for task in tasks]
    orders = [_orders(number, task) for number, task in enumerate(tasks)]
    changes = [[_looks(task, order) for order in some] for task, some in zip(tasks, orders, strict=True)]
    found = []
    for error in STATED:
        replays = [
            _replay(tasks, full, [some[i] for some in orders], [some[i] for some in changes], error)
            for i in range(1 + ORDERS)
        ]
        rest = np.array([(one.saved, one.changed, one.pass_at_1, one.expected) for one in replays[1:]])
        found.append(
            Stopping(
                stated_error=error,
                in_order=replays[0],
                shuffled=Replay(*rest.mean(axis=0).tolist()),
                spread=Replay(*rest.std(axis=0).tolist()),
                pass_at_1_full=100
                * float(np.mean([_right(task, one)[0] for task, one in zip(tasks, full, strict=True)])),
                expected_full=100
                * float(np.mean([_right(task, one)[1] for task, one in zip(tasks, full, strict=True)])),
            )
        )
    return found


def _orders(number: int, task: Task) -> list[NDArray[np.int64]]:
    """The file's order, then random ones."""
    n = task.matrix.shape[0]
    return [np.arange(n), *(np.random.default_rng((number, i)).permutation(n) for i in range(ORDERS))]


def _looks(task: Task, order: NDArray[np.int64]) -> dict[int, float]:
    """Programs seen -> probability of a change, up to the look at which every stated error has stopped."""
    n, m = task.matrix.shape
    found: dict[int, float] = {}
    for seen in range(FIRST_LOOK, n, STEP):
        found[seen] = forecast_winner(task.matrix.take(order[:seen], np.arange(m)), n).change_probability
        if found[seen] <= min(STATED):
            break
    return found


def _replay(
    tasks: Sequence[Task],
    full: Sequence[Selection],
    orders: Sequence[NDArray[np.int64]],
    looks: Sequence[dict[int, float]],
    error: float,
) -> Replay:
    saved, changed, right = [], [], []
    for task, whole, order, changes in zip(tasks, full, orders, looks, strict=True):
        n, m = task.matrix.shape
        stop = next((seen for seen, change in changes.items() if change <= error), n)
        early = whole if stop == n else select(task.matrix.take(order[:stop], np.arange(m)))
        right.append(_right(task, early, None if stop == n else order))
        saved.append(1 - stop / n)
        if stop < n:
            changed.append(early.winner is None or int(order[early.winner]) not in whole.clusters[0].members)
    one, expected = np.mean(right, axis=0)
    return Replay(
        float(np.mean(saved)), 100 * float(np.mean(changed or [False])), 100 * float(one), 100 * float(expected)
    )


def _right(task: Task, chosen: Selection, order: NDArray[np.int64] | None = None) -> tuple[float, float]:
    """Whether the winner is right, and the share of its cluster that is; an abstention is wrong."""
    if chosen.winner is None:
        return 0.0, 0.0
    places = np.array([chosen.winner, *chosen.clusters[0].members])
    right = task.right[places if order is None else order[places]]
    return float(right[0]), float(right[1:].mean())
