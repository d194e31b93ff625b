"""Stage 5c, `matrix -> consensus`: selects one program of a brief or abstains, and so ends the brief.

A brief is `abstained` when the strategy selects no program: there is none, no cluster is eligible, or the best cluster
is below the least confidence or share (core/selection/strategy.py). A brief with too few tests that are not flaky is
dropped.
"""

import random

import numpy as np

from ucoder.consensus.disagreements import disagreements
from ucoder.consensus.matrix_messages import matrix_of, ordered_rows
from ucoder.consensus.service import Service
from ucoder.consensus.verdict_messages import clusters_of, select_as_configured
from ucoder.core.selection import DEFAULT
from ucoder.core.test_quality import measure_test_quality
from ucoder.runtime.messaging.arrow_worker import Dropped
from ucoder.runtime.messaging.ledger import PAIRS
from ucoder.v1 import artifacts_pb2 as pb


async def run(service: Service, matrix: pb.Matrix, run: pb.Run) -> pb.Consensus | Dropped:
    """Returns the ending of one brief: selected or abstained, or dropped as flaky_tests."""
    candidates = matrix.candidates.candidates
    tests = matrix.candidates.tests
    problem = tests.problem
    config = run.config.selection
    rows = ordered_rows(matrix.rows)
    outcomes = matrix_of(
        rows,
        tests.tests,
        [candidate.mean_log_prob for candidate in candidates],
        [candidate.program for candidate in candidates],
        problem.prompt,
    )
    quality = measure_test_quality(outcomes)
    steady = np.flatnonzero(~quality.flaky)
    if len(steady) < run.config.tests.require:
        return Dropped("flaky_tests", f"{len(steady)} of {len(tests.tests)} tests give the same outcomes when repeated")
    selection = select_as_configured(outcomes.take(np.arange(len(rows)), steady), config)
    finished = [candidate for candidate in candidates if candidate.finish == "stop"] or list(candidates)
    dropped_tests = {f"dropped_{name}": count for name, count in tests.dropped.items()}
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
        tests=quality.counts() | {"filled": tests.filled} | dropped_tests,
        test_bits=float(quality.entropy.mean()),
        disagreements=disagreements(selection, rows, tests.tests),
    )
    if selection.winner is not None:
        await service.ledger.record(problem.brief, "consensus", {PAIRS: 1})
        consensus.selected.CopyFrom(candidates[selection.winner])
    return consensus
