"""candidates -> matrix: every program on every test, inside the cells."""

import time

from ucoder.core.outcomes import Outcome
from ucoder.errors import Retry
from ucoder.sandbox_runner.sandbox_job import SandboxJob
from ucoder.sandbox_runner.service import Service, limits, row_message, test_cases
from ucoder.v1 import artifacts_pb2 as pb

LINE = "bus"  # callers of the service, hundreds at once, must not keep the bus' few waiting, nor it them
HOPELESS = 0.5  # share of infra errors above which the matrix would say more about us than about the programs


async def run(service: Service, candidates: pb.Candidates, run: pb.Run) -> pb.Matrix:
    """The matrix of one brief, rows in the order of the candidates; those that sampling has run already are taken over.

    Raises Retry when the cells kept failing.
    """
    started = time.perf_counter()
    known = {row.program: row for row in candidates.rows if pb.OUTCOME_INFRA_ERROR not in row.outcomes}
    missing = [number for number in range(len(candidates.candidates)) if number not in known]
    job = SandboxJob(
        programs=tuple(candidates.candidates[number].program for number in missing),
        tests=test_cases(candidates.tests.tests),
        entry_point=candidates.tests.problem.entry_point,
        limits=limits(run.config.execution),
        check_determinism=run.config.execution.check_determinism,
    )
    rows = [row async for row in service.sandbox.execute(job, LINE)]
    failed = sum(outcome is Outcome.INFRA_ERROR for row in rows for outcome in row.outcomes)
    if failed > HOPELESS * sum(len(row.outcomes) for row in rows):
        raise Retry(f"{failed} executions failed for reasons of ours; the cells may be starved.")
    for row in rows:
        message = row_message(row)
        message.program = missing[row.program]
        known[message.program] = message
    candidates.ClearField("rows")
    return pb.Matrix(
        candidates=candidates,
        rows=[known[number] for number in sorted(known)],
        seconds=time.perf_counter() - started,
        isolation=service.sandbox.isolation,
    )
