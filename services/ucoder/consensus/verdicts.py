"""A selection as callers see it: the winner, the clusters, and the inputs on which they disagree."""

import ast
from collections.abc import Sequence

from ucoder.core.extraction import parse
from ucoder.core.matrix import Matrix
from ucoder.core.selection import DEFAULT, Selection, select
from ucoder.runtime.errors import Reject
from ucoder.v1 import artifacts_pb2 as pb
from ucoder.v1 import config_pb2, consensus_pb2

SHOWN = 5  # disagreements, and clusters compared in them


def choose(matrix: Matrix, config: config_pb2.SelectionConfig) -> Selection:
    """Selects as configured; Reject naming the choices when strategy or option is unknown."""
    strategy = DEFAULT if config.strategy == "default" else config.strategy
    try:
        return select(matrix, strategy, min_confidence=config.min_confidence, **dict(config.options))
    except (ValueError, TypeError) as error:
        raise Reject(f"selection: {error}") from None


def verdict_of(selection: Selection, rows: Sequence[pb.Row], tests: Sequence[pb.TestCase]) -> consensus_pb2.Verdict:
    """The selection with its evidence."""
    plausibility = selection.test_plausibility
    return consensus_pb2.Verdict(
        selected=None if selection.winner is None else selection.winner,
        confidence=selection.confidence,
        margin=selection.margin,
        abstained=selection.abstained,
        reason=selection.reason,
        clusters=clusters_of(selection),
        disagreements=_disagreements(selection, rows, tests),
        test_plausibility=[] if plausibility is None else [float(p) for p in plausibility],
    )


def clusters_of(selection: Selection) -> list[pb.Cluster]:
    """The clusters, best first."""
    return [
        pb.Cluster(members=map(int, c.members), score=c.score, share=c.share, passed=c.passed)
        for c in selection.clusters
    ]


def _disagreements(
    selection: Selection, rows: Sequence[pb.Row], tests: Sequence[pb.TestCase]
) -> list[consensus_pb2.Disagreement]:
    """Inputs on which the first clusters answer differently, each input once, in the order of the tests."""
    by_program = {row.program: row for row in rows}
    speakers = [by_program[min(cluster.members)] for cluster in selection.clusters[:SHOWN]]
    found: dict[str, consensus_pb2.Disagreement] = {}
    for index, test in enumerate(tests):
        answers = [row.outputs[index] if row.outputs else "" for row in speakers]
        answers = [text or pb.Outcome.Name(row.outcomes[index]) for text, row in zip(answers, speakers, strict=True)]
        asked = question(test)
        if len(set(answers)) > 1 and asked not in found:
            found[asked] = consensus_pb2.Disagreement(input=asked, outputs=answers)
            if len(found) == SHOWN:
                break
    return list(found.values())


def question(test: pb.TestCase) -> str:
    """What a test asks, without what it expects: `f(1)` of `assert f(1) == 2`."""
    if test.HasField("stdin"):
        return test.stdin
    tree = parse(test.code)
    statement = tree.body[0] if tree and len(tree.body) == 1 else None
    if isinstance(statement, ast.Assert) and isinstance(statement.test, ast.Compare):
        return ast.unparse(statement.test.left)
    return test.code
