"""The interface of a strategy: its options, the clusters it scores, and the selection that follows from them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields, replace
from enum import StrEnum
from typing import Any

import numpy as np

from ucoder.core.clustering import BehaviourCluster, Labels
from ucoder.core.matrix import Floats, Matrix


class AbstentionReason(StrEnum):
    """The reasons for which a strategy selects no program."""

    NO_PROGRAMS = "no_programs"
    NOTHING_ELIGIBLE = "nothing_eligible"
    BELOW_MIN_CONFIDENCE = "below_min_confidence"
    BELOW_MIN_SHARE = "below_min_share"


@dataclass(frozen=True)
class StrategyOptions:
    """The options of every strategy. All are numbers, so that a configuration file can name them."""

    min_confidence: float = 0.0
    """Abstain below this confidence."""
    min_share: float = 0.0
    """Abstain when the winning cluster holds less than this share of the samples."""


@dataclass(frozen=True)
class SignatureOptions(StrategyOptions):
    """The options of a strategy that clusters programs by their signature."""

    outputs: bool = False
    """Cluster by outputs instead of by passes."""


@dataclass(frozen=True)
class ScoredClusters:
    """A strategy's answer about one matrix: its N programs in K clusters, each with a score."""

    labels: Labels
    """(N,) cluster of each program."""
    scores: Floats
    """(K,) the highest score wins. A cluster with -inf can never win."""
    preference: Floats | None = None
    """(N,) the program with the highest preference is first in its cluster. Equal ones keep the matrix's order."""
    confidences: Floats | None = None
    """(K,) probability that the cluster is right. None: the strategy estimates none, and the share stands in."""
    plausibility: Floats | None = None
    """(M,) probability that the test is right. None: the strategy estimates none."""


@dataclass(frozen=True)
class Selection:
    """The selected program with its confidence. Indices are those of the caller's matrix."""

    winner: int | None
    """Index of the program. None when the strategy abstained."""
    clusters: tuple[BehaviourCluster, ...]
    """All clusters, the best first."""
    confidence: float
    """0 to 1. With the default strategy about this share of such selections is right; else the cluster's share."""
    margin: float
    """Confidence of the best cluster minus that of the second."""
    abstained: bool
    reason: str
    """An `AbstentionReason`, or empty when the strategy selected a program."""
    calibrated: bool = False
    """The confidence is an estimated probability, and not the winning cluster's share."""
    test_plausibility: Floats | None = None
    """(M,) probability that each test is right. None where the strategy does not judge tests."""


@dataclass(frozen=True)
class Strategy:
    """A strategy that selects when it is called. The order of programs and tests cannot change its result."""

    score: Callable[[Matrix, Any], ScoredClusters]
    options: type[StrategyOptions] = field(default=StrategyOptions)

    def __call__(self, matrix: Matrix, options: StrategyOptions | None = None) -> Selection:
        """Selects a program of the matrix, or abstains."""
        chosen = options if options is not None else self.options()
        if matrix.shape[0] == 0:
            return Selection(None, (), 0.0, 0.0, True, AbstentionReason.NO_PROGRAMS)
        ordered, programs, tests = matrix.canonical()
        scored = self.score(ordered, chosen)
        in_given_order = None if scored.plausibility is None else scored.plausibility[np.argsort(tests)]
        return replace(_select(scored, ordered, programs, chosen), test_plausibility=in_given_order)

    def parse(self, given: Mapping[str, float]) -> StrategyOptions:
        """Returns the options of these names. Raises ValueError, with the choices, on an unknown name or bad value."""
        known: dict[str, float] = {option.name: getattr(self.options, option.name) for option in fields(self.options)}
        for name in given:
            if name not in known:
                raise ValueError(f"unknown option {name!r}; this strategy has {', '.join(sorted(known))}")
        return self.options(**{name: _coerce(name, known[name], value) for name, value in given.items()})


def _select(scored: ScoredClusters, m: Matrix, programs: Labels, options: StrategyOptions) -> Selection:
    """Orders the clusters and applies the thresholds. `programs`: (N,) the caller's index of each row of `m`.

    The tie rule: of clusters with equal scores the larger is first, then the one whose first program is earlier in the
    matrix's own order.
    """
    total = int(m.multiplicity.sum())
    shares = np.bincount(scored.labels, weights=m.multiplicity, minlength=len(scored.scores)) / total
    preference = scored.preference if scored.preference is not None else np.zeros(len(scored.labels))
    by_preference = np.lexsort((np.arange(len(preference)), -preference, scored.labels))
    starts = np.searchsorted(scored.labels[by_preference], np.arange(len(scored.scores) + 1))
    ranking = np.lexsort((by_preference[starts[:-1]], -shares, -scored.scores))
    passed = m.passed.sum(axis=1)
    clusters = tuple(
        BehaviourCluster(
            members=tuple(programs[by_preference[starts[k] : starts[k + 1]]].tolist()),
            score=float(scored.scores[k]),
            share=float(shares[k]),
            passed=int(passed[by_preference[starts[k]]]),
        )
        for k in ranking.tolist()
    )
    confidences = (scored.confidences if scored.confidences is not None else shares)[ranking]
    confidence = float(confidences[0])
    margin = confidence - (float(confidences[1]) if len(confidences) > 1 else 0.0)
    reason = ""
    if clusters[0].score == -np.inf:
        reason, confidence, margin = AbstentionReason.NOTHING_ELIGIBLE, 0.0, 0.0
    elif confidence < options.min_confidence:
        reason = AbstentionReason.BELOW_MIN_CONFIDENCE
    elif clusters[0].share < options.min_share:
        reason = AbstentionReason.BELOW_MIN_SHARE
    winner = None if reason else clusters[0].members[0]
    return Selection(
        winner, clusters, confidence, margin, bool(reason), reason, calibrated=scored.confidences is not None
    )


def _coerce(name: str, default: bool | int | float, value: float) -> bool | int | float:
    """Converts a number to the type of the option's default. Raises ValueError where that would change it."""
    if isinstance(default, float):
        return float(value)
    if value != int(value) or (isinstance(default, bool) and value not in (0, 1)):
        expected = "0 or 1" if isinstance(default, bool) else "a whole number"
        raise ValueError(f"option {name!r} takes {expected}, not {value}")
    return type(default)(value)
