"""How sure the default strategy is of the program it chose.

What was found to tell right winners from wrong ones (82 HumanEval tasks, CodeGen-16B, 12 to 100 samples): how much of
the sample agrees, how much the program does, and how much the task asks for. A short program for a long description
has left something out even when most samples leave it out alike; the first alone cannot see that. And the same share
of few samples means less.
"""

import numpy as np
from numpy.typing import NDArray

from ucoder.core.calibration import Calibration
from ucoder.core.matrix import Floats
from ucoder.core.traits import Traits

USUAL_WORDS = 25.0
"""Taken for a task whose programs bear no docstring: the median of the tasks the map was fitted on."""

MOST_SAMPLES = 128.0
"""More samples than the map was fitted on make no surer."""

FITTED = Calibration((-3.65, 0.91, 1.13, -0.76, 0.79))
"""Intercept, log-odds of the cluster's share, ln of syntax-tree nodes, ln(1 + words of the docstring), ln of samples.
`ucoder bench consensus --fit` prints these five numbers from the dev file."""


def of_programs(odds: Floats, traits: Traits, chosen: NDArray[np.int64], samples: float) -> Floats:
    """(n, 5) features of chosen programs whose clusters have these (n,) log-odds among so many samples."""
    words = np.where(np.isnan(traits.words[chosen]), USUAL_WORDS, traits.words[chosen])
    size = np.full(len(chosen), np.log(min(samples, MOST_SAMPLES)))
    return np.stack([np.ones(len(chosen)), odds, np.log(traits.nodes[chosen]), np.log1p(words), size], axis=1)
