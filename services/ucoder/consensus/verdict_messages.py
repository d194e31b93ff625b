"""Applies the configured strategy to a matrix, and converts its selection to the message that callers receive."""

import dataclasses
import math
from collections.abc import Sequence

import numpy as np

from ucoder.consensus.disagreements import disagreements
from ucoder.core.matrix import Matrix
from ucoder.core.selection import DEFAULT, STRATEGIES, Selection, StrategyOptions, select
from ucoder.core.selection.theorem import TheoremBound, check_theorem
from ucoder.errors import Reject
from ucoder.v1 import artifacts_pb2 as pb
from ucoder.v1 import config_pb2, consensus_pb2

DEFAULT_SELECTION = config_pb2.SelectionConfig(strategy="default")


def selection_config(request: consensus_pb2.SelectRequest | consensus_pb2.ClusterRequest) -> config_pb2.SelectionConfig:
    """Returns the request's own configuration, or the default strategy."""
    return request.selection if request.HasField("selection") else DEFAULT_SELECTION


def strategy_of(config: config_pb2.SelectionConfig) -> tuple[str, StrategyOptions]:
    """Returns the strategy's name and options. Raises Reject, with the choices, for an unknown name or option."""
    name = DEFAULT if config.strategy == "default" else config.strategy
    try:
        if name not in STRATEGIES:
            raise ValueError(f"no strategy is called {name!r}; there are {', '.join(STRATEGIES)}")
        return name, STRATEGIES[name].parse({**config.options, "min_confidence": config.min_confidence})
    except (ValueError, TypeError) as error:
        raise Reject(f"selection: {error}") from None


def select_as_configured(matrix: Matrix, config: config_pb2.SelectionConfig) -> Selection:
    """Selects a program or abstains. Raises Reject, with the choices, for an unknown strategy or option."""
    name, options = strategy_of(config)
    try:
        return select(matrix, name, **dataclasses.asdict(options))
    except ValueError as error:
        raise Reject(f"selection: {error}") from None


def verdict_of(
    matrix: Matrix,
    config: config_pb2.SelectionConfig,
    rows: Sequence[pb.Row],
    tests: Sequence[pb.TestCase],
    theorem_bound: bool = False,
) -> consensus_pb2.Verdict:
    """Selects from the matrix of these rows and returns the verdict with its evidence.

    The verdict names programs by the numbers of their rows. `theorem_bound` adds the bound of Theorem 2.4.
    """
    selection = select_as_configured(matrix, config)
    plausibility = selection.test_plausibility
    numbers = [row.program for row in rows]
    bound = None
    if theorem_bound and selection.winner is not None:
        bound = _bound_message(check_theorem(matrix, np.array(selection.clusters[0].members)))
    return consensus_pb2.Verdict(
        selected=None if selection.winner is None else numbers[selection.winner],
        confidence=selection.confidence,
        margin=selection.margin,
        abstained=selection.abstained,
        reason=selection.reason,
        clusters=clusters_of(selection, numbers),
        disagreements=disagreements(selection, rows, tests),
        calibrated=selection.calibrated,
        test_plausibility=[] if plausibility is None else [float(p) for p in plausibility],
        theorem_bound=bound,
    )


def clusters_of(selection: Selection, numbers: Sequence[int] | None = None) -> list[pb.Cluster]:
    """Returns the clusters, the best first. `numbers` renames a member by its position."""
    return [
        pb.Cluster(
            members=[numbers[member] if numbers else member for member in cluster.members],
            score=cluster.score,
            share=cluster.share,
            passed=cluster.passed,
        )
        for cluster in selection.clusters
    ]


def _bound_message(bound: TheoremBound) -> consensus_pb2.TheoremBound:
    same = ("programs", "tests", "effective_tests", "required_tests", "delta", "printed", "corrected")
    return consensus_pb2.TheoremBound(
        **{name: getattr(bound, name) for name in same},
        collision_rate=None if math.isnan(bound.collision_rate) else bound.collision_rate,
        premises=[consensus_pb2.TheoremPremise(**dataclasses.asdict(premise)) for premise in bound.premises],
        sentence=bound.describe(),
    )
