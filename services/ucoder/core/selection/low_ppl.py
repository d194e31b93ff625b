"""The program that the model found likeliest."""

import numpy as np

from ucoder.core.matrix import Matrix
from ucoder.core.selection.strategy import Ballot, StrategyOptions


def vote(m: Matrix, options: StrategyOptions) -> Ballot:
    """argmin of perplexity f(r) = exp(-mean log p) (arXiv 2512.17385, ablation "low PPL"). No test is looked at.

    ValueError without log-probabilities.
    """
    if m.log_probs is None:
        raise ValueError("low_ppl needs log_probs, the mean token log-probability of every program")
    return Ballot(labels=np.arange(m.shape[0]), scores=m.log_probs)
