"""matrix -> consensus: signatures, clusters, and one program selected or none."""

import random

from ucoder.consensus.disagreements import disagreements
from ucoder.consensus.matrices import matrix_of, whole
from ucoder.consensus.service import Service
from ucoder.consensus.verdicts import choose, clusters_of
from ucoder.core.selection import DEFAULT
from ucoder.runtime.ledger import PAIRS
from ucoder.v1 import artifacts_pb2 as pb


async def run(service: Service, matrix: pb.Matrix, run: pb.Run) -> pb.Consensus:
    """The ending of one brief: selected or abstained."""
    candidates = matrix.candidates.candidates
    tests = matrix.candidates.tests
    config = run.config.selection
    rows = whole(matrix.rows)
    selection = choose(
        matrix_of(
            rows,
            tests.tests,
            [candidate.mean_log_prob for candidate in candidates],
            [candidate.program for candidate in candidates],
        ),
        config,
    )
    problem = tests.problem
    finished = [candidate for candidate in candidates if candidate.finish == "stop"] or list(candidates)
    consensus = pb.Consensus(
        brief=problem.brief,
        ending=pb.ENDING_SELECTED if selection.winner is not None else pb.ENDING_ABSTAINED,
        stage="consensus",
        reason=selection.reason,
        problem=problem,
        random=random.Random(problem.brief.seed).choice(finished),
        confidence=selection.confidence,
        margin=selection.margin,
        strategy=DEFAULT if config.strategy == "default" else config.strategy,
        clusters=clusters_of(selection),
        test_count=len(tests.tests),
        candidate_count=len(candidates),
        disagreements=disagreements(selection, rows, tests.tests),
    )
    if selection.winner is not None:
        await service.ledger.enter(problem.brief, {PAIRS: 1})
        consensus.selected.CopyFrom(candidates[selection.winner])
    return consensus
