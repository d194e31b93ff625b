"""How sure the default strategy is of the program it chose.

Three things were found to tell right winners from wrong ones (82 HumanEval tasks, CodeGen-16B): how much of the sample
agrees, how much the program does, and how much the task asks for. A short program for a long description has left
something out even when most samples leave it out alike; the first alone cannot see that.
"""

import numpy as np
from numpy.typing import NDArray

from ucoder.core.calibration import Calibration
from ucoder.core.matrix import Floats
from ucoder.core.traits import Traits

USUAL_WORDS = 25.0
"""Taken for a task whose programs bear no docstring: the median of the tasks the map was fitted on."""

FITTED = Calibration((-1.58, 0.74, 1.53, -0.93))
"""Intercept, log-odds of the cluster's share, ln of syntax-tree nodes, ln(1 + words of the docstring).
`ucoder bench consensus --fit` prints these four numbers from the dev file; they were rounded to two digits."""


def of_programs(odds: Floats, traits: Traits, chosen: NDArray[np.int64]) -> Floats:
    """(n, 4) features of chosen programs whose clusters have these (n,) log-odds."""
    words = np.where(np.isnan(traits.words[chosen]), USUAL_WORDS, traits.words[chosen])
    return np.stack([np.ones(len(chosen)), odds, np.log(traits.nodes[chosen]), np.log1p(words)], axis=1)
