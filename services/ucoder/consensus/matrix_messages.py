"""Converts the rows of a message to the matrix that the selection strategies read."""

from collections.abc import Sequence

from ucoder.core.matrix import Matrix
from ucoder.core.outcomes import Outcome
from ucoder.core.test_plans import Test
from ucoder.errors import Reject
from ucoder.v1 import artifacts_pb2 as pb

OUTCOMES = {pb.Outcome.Value(f"OUTCOME_{outcome.upper()}"): outcome for outcome in Outcome}


def ordered_rows(rows: Sequence[pb.Row]) -> list[pb.Row]:
    """Returns the rows by program number. Raises Reject unless each program, numbered from 0, has exactly one row."""
    ordered = sorted(rows, key=lambda row: row.program)
    if [row.program for row in ordered] != list(range(len(ordered))):
        raise Reject("rows: need exactly one for each program, numbered from 0.")
    return ordered


def require_one_per_program(field: str, values: Sequence[object], programs: int) -> None:
    """Raises Reject when a field that may be empty has values for only some of the programs."""
    if values and len(values) != programs:
        raise Reject(f"{field}: {len(values)} for {programs} programs.")


def matrix_of(
    rows: Sequence[pb.Row],
    tests: Sequence[pb.TestCase],
    log_probs: Sequence[float] = (),
    programs: Sequence[str] = (),
    task: str = "",
) -> Matrix:
    """Returns the matrix of the rows, in their order.

    `log_probs` and `programs` hold one value for each program, and each row takes the value at its own number. Raises
    Reject when a row does not fit the tests.
    """
    for row in rows:
        if len(row.outcomes) != len(tests) or len(row.outputs) not in (0, len(tests)):
            raise Reject(f"rows[{row.program}]: {len(row.outcomes)} outcomes for {len(tests)} tests.")
        if any(code not in OUTCOMES for code in row.outcomes):
            raise Reject(f"rows[{row.program}]: an unknown outcome.")
    return Matrix.build(
        outcomes=[[OUTCOMES[code] for code in row.outcomes] for row in rows],
        outputs=[[text or None for text in row.outputs] or [None] * len(tests) for row in rows],
        tests=[Test(code=test.code or test.stdin, count=test.count or 1) for test in tests],
        log_probs=[log_probs[row.program] for row in rows] if log_probs else None,
        programs=[programs[row.program] for row in rows] if programs else None,
        task=task,
    )
