"""The quality of tests: how each test splits the programs, and which tests tell nothing about them."""

from collections import Counter
from dataclasses import dataclass

import numpy as np

from ucoder.core.diversity import entropy_bits
from ucoder.core.matrix import OUTCOMES, Bools, Floats, Matrix
from ucoder.core.outcomes import Outcome

FLAKY_SHARE = 0.5
"""A test is flaky itself, and not its programs, when more than this share of the samples is nondeterministic on it."""


@dataclass(frozen=True)
class TestQuality:
    """The quality of each of M tests."""

    entropy: Floats
    """(M,) entropy of the samples' behaviour in bits: 0 where all samples behave alike."""
    flaky: Bools
    """(M,) tests on which most samples answer differently when they run again."""
    unanimous: Bools
    """(M,) tests on which all samples behave alike, so that the test distinguishes no programs."""
    failing: Bools
    """(M,) tests on which no sample ever returned: the input breaks every program, or the test itself is broken."""

    def counts(self) -> dict[str, int]:
        """Returns the number of tests by kind. A test of two kinds is the first of flaky, failing, unanimous."""
        kinds = np.select([self.flaky, self.failing, self.unanimous], ["flaky", "failing", "unanimous"], "splitting")
        return dict(Counter(kinds.tolist()))


def measure_test_quality(m: Matrix) -> TestQuality:
    """Measures the quality of every test of a matrix. Infrastructure errors do not count."""
    lost = m.infra_errors
    total = np.maximum(1, (~lost * m.multiplicity[:, None]).sum(axis=0))
    nondeterministic = (m.outcomes == OUTCOMES.index(Outcome.NONDETERMINISTIC)) * m.multiplicity[:, None]
    entropy = np.array([_behaviour_entropy(m, lost, column) for column in range(m.shape[1])], dtype=np.float64)
    return TestQuality(
        entropy=entropy,
        flaky=nondeterministic.sum(axis=0) / total > FLAKY_SHARE,
        unanimous=entropy == 0.0,
        failing=np.logical_not(np.any(m.completed, axis=0)),
    )


def _behaviour_entropy(m: Matrix, lost: Bools, column: int) -> float:
    behaviours = [
        (int(m.outcomes[i, column]), int(m.outputs[i, column]))
        for i in np.flatnonzero(~lost[:, column])
        for _ in range(int(m.multiplicity[i]))
    ]
    return entropy_bits(behaviours)
