"""matrix -> consensus: signatures, clusters, and one program selected or none."""

import random

import numpy as np

from ucoder.consensus.disagreements import disagreements
from ucoder.consensus.matrix_messages import matrix_of, whole
from ucoder.consensus.service import Service
from ucoder.consensus.verdict_messages import choose, clusters_of
from ucoder.core.selection import DEFAULT
from ucoder.core.test_quality import measure_test_quality
from ucoder.runtime.messaging.arrow_worker import Dropped
from ucoder.runtime.storage.ledger import PAIRS
from ucoder.v1 import artifacts_pb2 as pb


async def run(service: Service, matrix: pb.Matrix, run: pb.Run) -> pb.Consensus | Dropped:
    """The ending of one brief: selected, abstained, or flaky_tests where too few tests ask for no chance."""
    candidates = matrix.candidates.candidates
    tests = matrix.candidates.tests
    config = run.config.selection
    rows = whole(matrix.rows)
    seen = matrix_of(
        rows,
        tests.tests,
        [candidate.mean_log_prob for candidate in candidates],
        [candidate.program for candidate in candidates],
        tests.problem.prompt,
    )
    told = measure_test_quality(seen)
    steady = np.flatnonzero(~told.flaky)
    if len(steady) < run.config.tests.require:
        return Dropped("flaky_tests", f"{len(steady)} of {len(tests.tests)} tests ask for no chance")
    selection = choose(seen.take(np.arange(len(rows)), steady), config)
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
        tests=told.counts() | {"filled": tests.filled} | {f"dropped_{name}": n for name, n in tests.dropped.items()},
        test_bits=float(told.entropy.mean()),
        disagreements=disagreements(selection, rows, tests.tests),
    )
    if selection.winner is not None:
        await service.ledger.enter(problem.brief, {PAIRS: 1})
        consensus.selected.CopyFrom(candidates[selection.winner])
    return consensus
