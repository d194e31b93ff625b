"""Comparison of the value that a call returned with the value that the test expects, outside the cell.

The values are read back from text and compared by Python's own rules: `1 == 1.0 == True`, dicts and sets have no order,
a list is not a tuple, NaN equals nothing, `-0.0 == 0.0`. An opaque value (a generator, an object) equals nothing. With
a tolerance two floats (or a float and an int) may differ by that much, absolutely or relatively.
"""

import math
import operator
from typing import Any

from ucoder.core.outcomes import Outcome
from ucoder.core.test_plans import CallPlan
from ucoder.core.values import Opaque, Unreadable, parse

_RELATIONS = {"<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge}


def judge(plan: CallPlan, output: str) -> Outcome:
    """Returns PASSED or FAILED, or RETURNED for an input alone.

    EXCEPTION: the comparison itself raises an error, as it would in Python. UNSUPPORTED: the text is not a value, or
    for an input alone the value cannot be compared with another program's.
    """
    try:
        value = parse(output)
    except Unreadable:
        return Outcome.UNSUPPORTED
    if not plan.relation:
        return Outcome.UNSUPPORTED if _holds_opaque(value) else Outcome.RETURNED
    try:
        holds = _holds(plan, value)
    except (TypeError, ArithmeticError, RecursionError):
        return Outcome.EXCEPTION
    return Outcome.PASSED if holds else Outcome.FAILED


def _holds(plan: CallPlan, value: Any) -> bool:
    relation, expected = plan.relation, plan.expected
    if plan.tuples_as_lists and isinstance(value, tuple):
        value = list(value)
    if relation == "true":
        return bool(value)
    if relation == "false":
        return not value
    if relation in ("==", "!="):
        return _equal(value, expected, plan.tolerance) is (relation == "==")
    if relation in ("is", "is not"):
        same = type(value) is type(expected) and bool(value == expected)
        return same is (relation == "is")
    if relation in ("in", "not in"):
        contained = value in expected if isinstance(expected, str) else any(_equal(value, item) for item in expected)
        return contained is (relation == "in")
    return bool(_RELATIONS[relation](value, expected))


def _equal(left: Any, right: Any, tolerance: float = 0.0) -> bool:
    """Returns Python's equality of two plain values, where floats may differ by `tolerance`."""
    if not tolerance:
        return bool(left == right)
    if isinstance(left, float) or isinstance(right, float):
        if not isinstance(left, int | float) or not isinstance(right, int | float):
            return bool(left == right)
        return left == right or math.isclose(left, right, rel_tol=tolerance, abs_tol=tolerance)
    if isinstance(left, list | tuple) and type(left) is type(right):
        pairs = zip(left, right, strict=False)
        return len(left) == len(right) and all(_equal(one, other, tolerance) for one, other in pairs)
    if isinstance(left, dict) and isinstance(right, dict):
        return left.keys() == right.keys() and all(_equal(left[key], right[key], tolerance) for key in left)
    return bool(left == right)


def _holds_opaque(value: Any) -> bool:
    if isinstance(value, Opaque):
        return True
    if isinstance(value, dict):
        return any(map(_holds_opaque, value)) or any(map(_holds_opaque, value.values()))
    return isinstance(value, list | tuple | set | frozenset) and any(map(_holds_opaque, value))
