"""What each test told about the programs: how it split them, and the reasons for which a test tells nothing."""

from collections import Counter
from dataclasses import dataclass

import numpy as np

from ucoder.core.diversity import entropy_bits
from ucoder.core.matrix import Bools, Floats, Matrix
from ucoder.core.outcomes import Outcome

FLAKY_SHARE = 0.5
"""A test on which so many of the samples answer differently when run again is flaky itself: it asks for chance."""


@dataclass(frozen=True)
class TestQuality:
    """Of M tests."""

    bits: Floats
    """(M,) entropy of what the samples did on it, in bits: 0 where all did the same."""
    flaky: Bools
    """(M,) most samples answer differently when run again."""
    unanimous: Bools
    """(M,) all samples answer alike, so nobody is told from anybody."""
    failing: Bools
    """(M,) no sample ever returned: the input breaks whatever is tried, or the test itself is broken."""

    def counts(self) -> dict[str, int]:
        """Tests by what they told, each under the first name that fits."""
        names = np.select([self.flaky, self.failing, self.unanimous], ["flaky", "failing", "unanimous"], "splitting")
        return dict(Counter(names.tolist()))


def worth(m: Matrix) -> TestQuality:
    """The worth of every test of a matrix; what is our own failure counts for nothing."""
    weights = m.multiplicity
    ours = m.infra
    total = np.maximum(1, (~ours * weights[:, None]).sum(axis=0))
    chance = (m.outcomes == list(Outcome).index(Outcome.NONDETERMINISTIC)) * weights[:, None]
    bits = np.array([_bits(m, ours, column) for column in range(m.shape[1])], dtype=np.float64)
    return TestQuality(
        bits=bits,
        flaky=chance.sum(axis=0) / total > FLAKY_SHARE,
        unanimous=bits == 0.0,
        failing=np.logical_not(np.any(m.completed, axis=0)),
    )


def _bits(m: Matrix, ours: Bools, column: int) -> float:
    did = [
        (int(m.outcomes[i, column]), int(m.outputs[i, column]))
        for i in np.flatnonzero(~ours[:, column])
        for _ in range(int(m.multiplicity[i]))
    ]
    return entropy_bits(did)
