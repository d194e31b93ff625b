"""A random program: the floor under every other rule."""

import zlib
from dataclasses import dataclass

import numpy as np

from ucoder.core.matrix import Matrix
from ucoder.core.selection.strategy import Ballot, StrategyOptions


@dataclass(frozen=True)
class RandomOptions(StrategyOptions):
    seed: int = 0
    """Another seed, another draw; the same seed on the same contents is the same draw."""


def vote(m: Matrix, options: RandomOptions) -> Ballot:
    """One sample drawn uniformly (arXiv 2512.17385, ablation "random"). No test is looked at.

    The draw depends on the programs' contents and the seed, so that a shuffle or a second run changes nothing.
    """
    n = m.shape[0]
    contents = zlib.crc32("\0".join(m.program_keys).encode("utf-8", "surrogatepass"))
    weights = m.multiplicity / m.multiplicity.sum()
    drawn = np.random.default_rng([options.seed, contents]).choice(n, p=weights)
    return Ballot(labels=np.arange(n), scores=np.where(np.arange(n) == drawn, 1.0, 0.0))
