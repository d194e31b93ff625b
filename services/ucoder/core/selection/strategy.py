"""What a strategy is given, what it answers, and how an answer becomes a selection."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any

import numpy as np

from ucoder.core.clustering import BehaviourCluster, Labels
from ucoder.core.matrix import Floats, Matrix

NO_PROGRAMS = "no_programs"
NOTHING_ELIGIBLE = "nothing_eligible"
BELOW_MIN_CONFIDENCE = "below_min_confidence"
BELOW_MIN_SHARE = "below_min_share"


@dataclass(frozen=True)
class StrategyOptions:
    """Options of every strategy. All are numbers, so that a configuration file can carry them by name."""

    min_confidence: float = 0.0
    """Abstain below this confidence."""
    min_share: float = 0.0
    """Abstain when the winning cluster holds less than this share of the samples."""


@dataclass(frozen=True)
class Ballot:
    """A strategy's answer about one matrix of N programs in K clusters."""

    labels: Labels
    """(N,) cluster of each program."""
    scores: Floats
    """(K,) higher is better; -inf can never win."""
    preference: Floats | None = None
    """(N,) within a cluster, higher first; equal ones in the matrix's order. None: all equal."""
    confidences: Floats | None = None
    """(K,) probability that the cluster is right, where the strategy estimates one. None: its share stands in."""
    plausibility: Floats | None = None
    """(M,) probability that the test is right, where the strategy estimates one."""


@dataclass(frozen=True)
class Selection:
    """Which program, and how sure. Indices are the caller's."""

    winner: int | None
    """Index of the program; None when abstained."""
    clusters: tuple[BehaviourCluster, ...]
    """Best first."""
    confidence: float
    """0 to 1. For the default strategy about this share of such selections are right; elsewhere the cluster's share."""
    margin: float
    """Confidence of the best cluster minus that of the second."""
    abstained: bool
    reason: str
    """Why it abstained, snake_case; empty when it did not."""
    calibrated: bool = False
    """Whether the confidence is more than the winning cluster's share."""
    test_plausibility: Floats | None = None
    """(M,) how far each test is believed; None where the strategy does not judge tests."""


@dataclass(frozen=True)
class Strategy:
    """A named rule. Calling it with a matrix and its options selects; no order of programs or tests can matter."""

    vote: Callable[[Matrix, Any], Ballot]
    options: type[StrategyOptions] = field(default=StrategyOptions)

    def __call__(self, matrix: Matrix, options: StrategyOptions | None = None) -> Selection:
        chosen = options if options is not None else self.options()
        if matrix.shape[0] == 0:
            return Selection(None, (), 0.0, 0.0, True, NO_PROGRAMS)
        ordered, programs, tests = matrix.canonical()
        ballot = self.vote(ordered, chosen)
        plausibility = None
        if ballot.plausibility is not None:
            plausibility = np.empty(len(tests))
            plausibility[tests] = ballot.plausibility
        return replace(_count(ballot, ordered, programs, chosen), test_plausibility=plausibility)

    def parse(self, given: Mapping[str, float]) -> StrategyOptions:
        """Options by name, numbers read as what the option is. ValueError names the choices."""
        known: dict[str, float] = {option.name: getattr(self.options, option.name) for option in fields(self.options)}
        for name in given:
            if name not in known:
                raise ValueError(f"unknown option {name!r}; this strategy has {', '.join(sorted(known))}")
        return self.options(**{name: _coerce(name, known[name], value) for name, value in given.items()})


def _count(ballot: Ballot, m: Matrix, programs: Labels, options: StrategyOptions) -> Selection:
    total = int(m.multiplicity.sum())
    shares = np.bincount(ballot.labels, weights=m.multiplicity, minlength=len(ballot.scores)) / total
    preference = ballot.preference if ballot.preference is not None else np.zeros(len(ballot.labels))
    by_liking = np.lexsort((np.arange(len(preference)), -preference, ballot.labels))
    starts = np.searchsorted(ballot.labels[by_liking], np.arange(len(ballot.scores) + 1))
    ranking = np.lexsort((by_liking[starts[:-1]], -shares, -ballot.scores))
    passed = m.passed.sum(axis=1)
    clusters = tuple(
        BehaviourCluster(
            members=tuple(programs[by_liking[starts[k] : starts[k + 1]]].tolist()),
            score=float(ballot.scores[k]),
            share=float(shares[k]),
            passed=int(passed[by_liking[starts[k]]]),
        )
        for k in ranking.tolist()
    )
    confidences = (ballot.confidences if ballot.confidences is not None else shares)[ranking]
    confidence = float(confidences[0])
    margin = confidence - (float(confidences[1]) if len(confidences) > 1 else 0.0)
    reason = ""
    if clusters[0].score == -np.inf:
        reason, confidence, margin = NOTHING_ELIGIBLE, 0.0, 0.0
    elif confidence < options.min_confidence:
        reason = BELOW_MIN_CONFIDENCE
    elif clusters[0].share < options.min_share:
        reason = BELOW_MIN_SHARE
    winner = None if reason else clusters[0].members[0]
    return Selection(
        winner, clusters, confidence, margin, bool(reason), reason, calibrated=ballot.confidences is not None
    )


def _coerce(name: str, default: bool | int | float, value: float) -> bool | int | float:
    if isinstance(default, float):
        return float(value)
    if value != int(value) or (isinstance(default, bool) and value not in (0, 1)):
        raise ValueError(
            f"option {name!r} takes {'0 or 1' if isinstance(default, bool) else 'a whole number'}, not {value}"
        )
    return type(default)(value)
