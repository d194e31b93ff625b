"""The arrow candidates -> matrix: runs every program of a brief on every test, inside the cells."""

import time

from ucoder.core.outcomes import Outcome
from ucoder.errors import Retry
from ucoder.sandbox_runner.sandbox_job import SandboxJob
from ucoder.sandbox_runner.service import Service, limits_from_config, row_message, tests_from_messages
from ucoder.v1 import artifacts_pb2 as pb

QUEUE = "bus"
"""A queue of its own, so that hundreds of gRPC callers and the few messages of the bus do not hold each other up."""
MOST_INFRA_ERRORS = 0.5
"""The share of infra errors above which the matrix would say more about the cells than about the programs."""


async def run(service: Service, candidates: pb.Candidates, run: pb.Run) -> pb.Matrix:
    """Returns the matrix of one brief, rows in the order of the candidates.

    Rows that sampling has already computed are taken over. Raises Retry when the cells kept failing.
    """
    started = time.perf_counter()
    rows = {row.program: row for row in candidates.rows if pb.OUTCOME_INFRA_ERROR not in row.outcomes}
    missing = [number for number in range(len(candidates.candidates)) if number not in rows]
    job = SandboxJob(
        programs=tuple(candidates.candidates[number].program for number in missing),
        tests=tests_from_messages(candidates.tests.tests),
        entry_point=candidates.tests.problem.entry_point,
        limits=limits_from_config(run.config.execution),
        check_determinism=run.config.execution.check_determinism,
    )
    results = [result async for result in service.sandbox.execute(job, QUEUE)]
    outcomes = [outcome for result in results for outcome in result.outcomes]
    failed = outcomes.count(Outcome.INFRA_ERROR)
    if failed > MOST_INFRA_ERRORS * len(outcomes):
        raise Retry(
            f"The sandbox itself failed in {failed} of {len(outcomes)} executions: check whether its cells have enough "
            "memory and processor time."
        )
    for result in results:
        message = row_message(result)
        message.program = missing[result.program]
        rows[message.program] = message
    candidates.ClearField("rows")
    return pb.Matrix(
        candidates=candidates,
        rows=[rows[number] for number in sorted(rows)],
        seconds=time.perf_counter() - started,
        isolation=service.sandbox.isolation,
    )
