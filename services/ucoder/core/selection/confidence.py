"""The confidence of the default strategy in the program that it selected.

Four features distinguished right from wrong winners (82 HumanEval tasks, CodeGen-16B, 12 to 100 samples): the share of
the samples that agree, the number of samples, whether the program decides as often as the task sets cases apart, and
the share of the task's words that the program uses. When most samples leave out the same half-sentence they still
agree. Only the last two features can show that.
"""

from dataclasses import dataclass

import numpy as np

from ucoder.core.clustering import Labels
from ucoder.core.matrix import Bools, Floats, Matrix

USUAL_CONDITION_GAP = 0.0
USUAL_WORD_COVERAGE = 0.12
"""The values where no task text is known: the medians of the data that the map was fitted on."""

MOST_SAMPLES = 128.0
"""Beyond this number more samples no longer raise the confidence: the map was fitted on fewer."""


@dataclass(frozen=True)
class Calibration:
    """The logistic map confidence = 1 / (1 + exp(-(weights . features)))."""

    weights: tuple[float, ...]

    def probability(self, features: Floats) -> Floats:
        """Returns (n,) confidences, between 0 and 1, of (n, d) features."""
        return np.asarray(1.0 / (1.0 + np.exp(-np.clip(features @ np.array(self.weights), -30.0, 30.0))))


FITTED = Calibration((-3.79, 0.83, 0.82, -1.09, 7.0, -0.63))
"""The weights of: intercept, log-odds of the cluster's share of the programs that ran, ln of samples, condition gap,
word coverage, and 1 where no test states an expected value. The last is negative because programs agree more easily on
inputs that were not chosen for a reason.
`ucoder bench consensus --fit` prints the first five from the dev file, and with `--tests none` the last."""


def confidence_features(m: Matrix, members: Labels, chosen: int, ran: Bools) -> Floats:
    """Returns (6,) the features, in the order of `FITTED`, of a cluster and the program chosen from it.

    members: indices of the cluster's programs. ran: (N,) the programs that count in the cluster's share.
    """
    samples = float(m.multiplicity[members].sum())
    coverage = np.average(m.features.word_coverage[members], weights=m.multiplicity[members])
    gap = m.features.condition_gap[chosen]
    return np.array(
        [
            1.0,
            float(log_odds(np.float64(samples), max(samples, float(m.multiplicity[ran].sum())))),
            np.log(min(float(m.multiplicity.sum()), MOST_SAMPLES)),
            USUAL_CONDITION_GAP if np.isnan(gap) else gap,
            USUAL_WORD_COVERAGE if np.isnan(coverage) else coverage,
            0.0 if (m.passed | m.failed).any() else 1.0,
        ]
    )


def log_odds(part: Floats | np.float64, total: float) -> Floats:
    """Returns the log-odds of the share part / total. Half a sample on each side keeps all and none finite."""
    return np.asarray(np.log((part + 0.5) / (total - part + 0.5)))
