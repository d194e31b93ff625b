"""From rows as they travel to the matrix that selection works on."""

from collections.abc import Sequence

from ucoder.core.matrix import Matrix
from ucoder.core.outcomes import Outcome
from ucoder.core.test_cases import TestCase
from ucoder.runtime.errors import Reject
from ucoder.v1 import artifacts_pb2 as pb

OUTCOMES = {pb.Outcome.Value(f"OUTCOME_{outcome.upper()}"): outcome for outcome in Outcome}


def matrix_of(
    rows: Sequence[pb.Row],
    tests: Sequence[pb.TestCase],
    log_probs: Sequence[float] = (),
    programs: Sequence[str] = (),
) -> Matrix:
    """The matrix of rows in any order. Raises Reject when the parts do not fit together."""
    ordered = sorted(rows, key=lambda row: row.program)
    if [row.program for row in ordered] != list(range(len(ordered))):
        raise Reject("rows: need exactly one for each program, numbered from 0.")
    for row in ordered:
        if len(row.outcomes) != len(tests) or len(row.outputs) not in (0, len(tests)):
            raise Reject(f"rows[{row.program}]: {len(row.outcomes)} outcomes for {len(tests)} tests.")
        if any(code not in OUTCOMES for code in row.outcomes):
            raise Reject(f"rows[{row.program}]: an unknown outcome.")
    for field, values in (("mean_log_probs", log_probs), ("programs", programs)):
        if values and len(values) != len(ordered):
            raise Reject(f"{field}: {len(values)} for {len(ordered)} programs.")
    return Matrix.build(
        outcomes=[[OUTCOMES[code] for code in row.outcomes] for row in ordered],
        outputs=[[text or None for text in row.outputs] or [None] * len(tests) for row in ordered],
        tests=[TestCase(code=test.code or test.stdin, count=test.count or 1) for test in tests],
        log_probs=list(log_probs) or None,
        programs=list(programs) or None,
    )
