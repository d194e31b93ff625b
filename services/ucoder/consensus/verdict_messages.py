"""A selection as callers see it: the winner, the clusters, and the inputs on which they disagree."""

import dataclasses
from collections.abc import Sequence

from ucoder.consensus.disagreements import disagreements
from ucoder.core.matrix import Matrix
from ucoder.core.selection import DEFAULT, STRATEGIES, Selection, StrategyOptions, select
from ucoder.errors import Reject
from ucoder.v1 import artifacts_pb2 as pb
from ucoder.v1 import config_pb2, consensus_pb2

DEFAULTS = config_pb2.SelectionConfig(strategy="default")


def strategy_of(config: config_pb2.SelectionConfig) -> tuple[str, StrategyOptions]:
    """Name and options; Reject naming the choices when strategy or option is unknown."""
    name = DEFAULT if config.strategy == "default" else config.strategy
    try:
        if name not in STRATEGIES:
            raise ValueError(f"no strategy is called {name!r}; there are {', '.join(STRATEGIES)}")
        return name, STRATEGIES[name].parse({**config.options, "min_confidence": config.min_confidence})
    except (ValueError, TypeError) as error:
        raise Reject(f"selection: {error}") from None


def choose(matrix: Matrix, config: config_pb2.SelectionConfig) -> Selection:
    """Selects as configured; Reject naming the choices when strategy or option is unknown."""
    name, options = strategy_of(config)
    try:
        return select(matrix, name, **dataclasses.asdict(options))
    except ValueError as error:
        raise Reject(f"selection: {error}") from None


def verdict_of(selection: Selection, rows: Sequence[pb.Row], tests: Sequence[pb.TestCase]) -> consensus_pb2.Verdict:
    """The selection of some rows with its evidence; programs are named by their rows' numbers."""
    plausibility = selection.test_plausibility
    numbers = [row.program for row in rows]
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
    )


def clusters_of(selection: Selection, numbers: Sequence[int] | None = None) -> list[pb.Cluster]:
    """The clusters, best first; a member by its position, or by the number given for that position."""
    return [
        pb.Cluster(
            members=[numbers[member] if numbers else member for member in cluster.members],
            score=cluster.score,
            share=cluster.share,
            passed=cluster.passed,
        )
        for cluster in selection.clusters
    ]
