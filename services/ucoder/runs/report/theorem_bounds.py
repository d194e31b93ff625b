"""Measures Theorem 2.4 of the paper on the stored matrices of an iteration: the bound, and whether its premises hold.

The theorem and its formula are in core/selection/theorem.py.
"""

import asyncio
import math
from collections.abc import Sequence
from statistics import median
from typing import Any

import numpy as np

from ucoder.core.matrix import Matrix
from ucoder.core.selection.theorem import TheoremBound, check_theorem
from ucoder.core.test_plans import Test
from ucoder.core.test_quality import measure_test_quality
from ucoder.errors import NotFound
from ucoder.runtime.storage.artifacts import Artifacts
from ucoder.v1 import artifacts_pb2 as pb

MAX_MATRICES = 1000
"""Matrices of one iteration that are measured, evenly spaced over its briefs: enough for shares to a few percent."""
PREMISES = ("independent_candidates", "wrong_programs_differ", "independent_tests", "enough_tests")


async def theorem_bounds(artifacts: Artifacts, run: str, iteration: int, most: int = MAX_MATRICES) -> dict[str, Any]:
    """Returns medians and shares over the briefs of an iteration whose matrix gave clusters; reads `most` matrices.

    `matrices` counts the stored matrices, `measured` the briefs used, and `with_wrong_pairs` those with two different
    programs outside their best cluster: only these can tell p, the rate at which two wrong programs agree on a test,
    and what depends on it. A number is None where no brief can tell it, or where the median is infinite.
    """
    names = await artifacts.names(run, "matrix", f"{iteration:03d}-")
    measured = min(len(names), most)
    bounds = []
    for position in range(measured):
        name = names[position * len(names) // measured]
        try:
            ended = await artifacts.get(pb.Consensus, run, name)
        except NotFound:
            continue
        if ended.clusters:
            matrix = await artifacts.get(pb.Matrix, run, name)
            bounds.append(await asyncio.to_thread(_bound_of, matrix, ended.clusters[0].members))
    return {"matrices": len(names), "measured": len(bounds), **_summary(bounds)}


def _bound_of(stored: pb.Matrix, winners: Sequence[int]) -> TheoremBound:
    """Returns the bound for the best cluster. Flaky tests are left out, as they are when a program is selected."""
    tests = stored.candidates.tests.tests
    rows = sorted(stored.rows, key=lambda row: row.program)
    matrix = Matrix.build(
        outcomes=[[pb.Outcome.Name(code).removeprefix("OUTCOME_").lower() for code in row.outcomes] for row in rows],
        outputs=[[text or None for text in row.outputs] or [None] * len(tests) for row in rows],
        tests=[Test(code=test.code or test.stdin, count=test.count or 1) for test in tests],
        programs=[candidate.program for candidate in stored.candidates.candidates],
    )
    steady = np.flatnonzero(~measure_test_quality(matrix).flaky)
    return check_theorem(matrix.take(np.arange(len(rows)), steady), np.array(winners, dtype=np.int64))


def _summary(bounds: Sequence[TheoremBound]) -> dict[str, Any]:
    known = [bound for bound in bounds if not math.isnan(bound.collision_rate)]
    return {
        "with_wrong_pairs": len(known),
        "candidates": _median([bound.programs for bound in bounds]),
        "tests": _median([bound.tests for bound in bounds]),
        "effective_tests": _median([bound.effective_tests for bound in known]),
        "required_tests": _median([bound.required_tests for bound in known]),
        "p_outputs": _median([bound.collision_rate for bound in known]),
        "p_pass_bits": _median([bound.collision_rate_by_passes for bound in known]),
        "printed_bound": _median([bound.printed for bound in known]),
        "corrected_bound": _median([bound.corrected for bound in known]),
        "printed_above_0": _share([bound.says_anything for bound in known]),
        "corrected_above_0": _share([bound.corrected > 0 for bound in known]),
        "premises_hold": {
            premise: _share([one.holds for bound in known for one in bound.premises if one.name == premise])
            for premise in PREMISES
        },
    }


def _median(values: Sequence[float]) -> float | None:
    middle = median(values) if values else math.inf
    return None if math.isinf(middle) else middle


def _share(flags: Sequence[bool]) -> float | None:
    return sum(flags) / len(flags) if flags else None
