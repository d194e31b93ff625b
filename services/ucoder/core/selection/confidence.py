"""How sure the default strategy is of the program it chose.

What was found to tell right winners from wrong ones (82 HumanEval tasks, CodeGen-16B, 12 to 100 samples): how much of
the sample agrees, how many samples that is, whether the program decides as often as the task sets cases apart, and how
much of the task it speaks of. When most samples leave out the same half-sentence they agree all the same; only the
last two can see that.
"""

import numpy as np

from ucoder.core.clustering import Labels
from ucoder.core.matrix import Bools, Floats, Matrix
from ucoder.core.selection.calibration import Calibration

USUAL_OPEN_CASES = 0.0
USUAL_ECHO = 0.12
"""Taken where no text asks: the medians of what the map was fitted on."""

MOST_SAMPLES = 128.0
"""More samples than the map was fitted on make no surer."""

FITTED = Calibration((-3.79, 0.83, 0.82, -1.09, 7.0, -0.63))
"""Intercept, log-odds of the cluster's share of the programs that ran, ln of samples, open cases, echo; and what is
taken off where no test states what to expect: programs agree more easily on inputs that nobody chose for a reason.
`ucoder bench consensus --fit` prints the first five from the dev file, and with `--tests none` the last."""


def features(m: Matrix, members: Labels, chosen: int, ran: Bools) -> Floats:
    """(6,) of a cluster and the program chosen from it. `ran`: (N,) the programs that count in its share."""
    samples = float(m.multiplicity[members].sum())
    echo = np.average(m.traits.echo[members], weights=m.multiplicity[members])
    open_cases = m.traits.open_cases[chosen]
    return np.array(
        [
            1.0,
            float(log_odds(np.float64(samples), max(samples, float(m.multiplicity[ran].sum())))),
            np.log(min(float(m.multiplicity.sum()), MOST_SAMPLES)),
            USUAL_OPEN_CASES if np.isnan(open_cases) else open_cases,
            USUAL_ECHO if np.isnan(echo) else echo,
            0.0 if (m.passed | m.failed).any() else 1.0,
        ]
    )


def log_odds(part: Floats | np.float64, total: float) -> Floats:
    """Log-odds of a share, half a sample added to each side so that all and none stay finite."""
    return np.asarray(np.log((part + 0.5) / (total - part + 0.5)))
