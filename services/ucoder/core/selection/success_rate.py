"""The program that executes on the most tests."""

import numpy as np

from ucoder.core.matrix import Floats, Matrix
from ucoder.core.selection.strategy import Ballot, StrategyOptions


def execution_rate(m: Matrix, pass_share: bool = False) -> Floats:
    """(N,) e(r): share of the voting tests that a program executes without crashing, or with `pass_share` passes.

    arXiv 2512.17385 defines Exec both ways. A program without a voting test has 0.
    """
    counted = (m.passed if pass_share else m.completed) & m.voting
    return np.asarray(counted.sum(axis=1) / np.maximum(1, m.voting.sum(axis=1)), dtype=np.float64)


def vote(m: Matrix, options: StrategyOptions) -> Ballot:
    """argmax of e(r), ties by likelihood (arXiv 2512.17385, ablation "success rate")."""
    return Ballot(labels=np.arange(m.shape[0]), scores=execution_rate(m))
