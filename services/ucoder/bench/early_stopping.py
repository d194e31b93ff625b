"""How many programs need not be run, and how often stopping early was wrong."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ucoder.bench.executed import Task
from ucoder.core.convergence import outlook
from ucoder.core.selection import select

FIRST_LOOK, STEP = 16, 8
STATED = (0.02, 0.05, 0.1)


@dataclass(frozen=True)
class Stopping:
    """At one stated error."""

    stated_error: float
    saved: float
    """Mean share of the programs that were not run."""
    stopped: int
    """Runs that stopped early."""
    changed: float
    """Share of those in which the full sample's winning cluster does not hold the program chosen."""
    pass_at_1: float
    pass_at_1_full: float


def early_stopping(tasks: Sequence[Task]) -> list[Stopping]:
    """Programs come in one random order per task, are looked at every 8 from 16 on, and stop at `change` <= error."""
    return [_at(tasks, error) for error in STATED]


def _at(tasks: Sequence[Task], error: float) -> Stopping:
    saved, changed, right, right_full = [], [], [], []
    for number, task in enumerate(tasks):
        n, m = task.matrix.shape
        order = np.random.default_rng(number).permutation(n)
        looks = range(FIRST_LOOK, n, STEP)
        stop = next((k for k in looks if outlook(task.matrix.take(order[:k], np.arange(m)), n).change <= error), n)
        full, early = select(task.matrix), select(task.matrix.take(order[:stop], np.arange(m)))
        winner = None if early.winner is None else int(order[early.winner])
        right.append(0.0 if winner is None else task.right[winner])
        right_full.append(0.0 if full.winner is None else task.right[full.winner])
        saved.append(1 - stop / n)
        if stop < n:
            changed.append(winner not in full.clusters[0].members)
    return Stopping(
        stated_error=error,
        saved=float(np.mean(saved)),
        stopped=len(changed),
        changed=float(np.mean(changed)) if changed else 0.0,
        pass_at_1=100 * float(np.mean(right)),
        pass_at_1_full=100 * float(np.mean(right_full)),
    )
