"""candidates -> matrix: every program on every test, inside the cells."""

import time

from ucoder.core.outcomes import Outcome
from ucoder.runtime.errors import Retry
from ucoder.sandbox_runner.job import Job
from ucoder.sandbox_runner.service import Service, limits, row_message, test_cases
from ucoder.v1 import artifacts_pb2 as pb

HOPELESS = 0.5  # share of infra errors above which the matrix would say more about us than about the programs


async def run(service: Service, candidates: pb.Candidates, run: pb.Run) -> pb.Matrix:
    """The matrix of one brief, rows in the order of the candidates. Raises Retry when the cells kept failing."""
    started = time.perf_counter()
    job = Job(
        programs=tuple(candidate.program for candidate in candidates.candidates),
        tests=test_cases(candidates.tests.tests),
        entry_point=candidates.tests.problem.entry_point,
        limits=limits(run.config.execution),
    )
    rows = sorted([row async for row in service.sandbox.execute(job)], key=lambda row: row.program)
    failed = sum(outcome is Outcome.INFRA_ERROR for row in rows for outcome in row.outcomes)
    if failed > HOPELESS * sum(len(row.outcomes) for row in rows):
        raise Retry(f"{failed} executions failed for reasons of ours; the cells may be starved.")
    return pb.Matrix(
        candidates=candidates,
        rows=[row_message(row) for row in rows],
        seconds=time.perf_counter() - started,
        isolation=service.sandbox.isolation,
    )
