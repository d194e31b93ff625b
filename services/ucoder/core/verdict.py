"""The verdict: an outcome from what a call is said to have returned and what the test expects.

Formed outside the cell, on values read back from text, by Python's own rules: `1 == 1.0 == True`, dicts and sets
without order, a list is not a tuple, NaN equals nothing, `-0.0 == 0.0`. An opaque value (a generator, an object)
equals nothing. With a tolerance, two floats (or a float and an int) are equal when they differ by at most that much,
absolutely or relatively.
"""

import math
import operator
from decimal import Decimal, InvalidOperation
from typing import Any

from ucoder.core.outcomes import Outcome
from ucoder.core.test_plans import CallPlan
from ucoder.core.values import Opaque, Unreadable, parse

_RELATIONS = {"<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge}


def judge(plan: CallPlan, output: str) -> Outcome:
    """PASSED or FAILED, or for an input alone RETURNED; EXCEPTION when the comparison itself raises, as it would in
    Python.

    UNSUPPORTED: an input alone whose output cannot be compared with another program's.
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
    if relation == "true":
        return bool(value)
    if relation == "false":
        return not value
    if relation in ("==", "!="):
        return equal(value, expected, plan.tolerance) is (relation == "==")
    if relation in ("is", "is not"):
        same = type(value) is type(expected) and bool(value == expected)
        return same is (relation == "is")
    if relation in ("in", "not in"):
        found = value in expected if isinstance(expected, str) else any(equal(value, item) for item in expected)
        return found is (relation == "in")
    return bool(_RELATIONS[relation](value, expected))


def equal(left: Any, right: Any, tolerance: float = 0.0) -> bool:
    """Python's equality of two plain values, with floats allowed to differ by `tolerance`."""
    if not tolerance:
        return bool(left == right)
    if isinstance(left, float) or isinstance(right, float):
        if not isinstance(left, int | float) or not isinstance(right, int | float):
            return bool(left == right)
        return left == right or math.isclose(left, right, rel_tol=tolerance, abs_tol=tolerance)
    if isinstance(left, list | tuple) and type(left) is type(right):
        pairs = zip(left, right, strict=False)
        return len(left) == len(right) and all(equal(one, other, tolerance) for one, other in pairs)
    if isinstance(left, dict) and isinstance(right, dict):
        return left.keys() == right.keys() and all(equal(left[key], right[key], tolerance) for key in left)
    return bool(left == right)


def same_output(expected: str, actual: str) -> bool:
    """Whether a program printed what it should, as LiveCodeBench compares it: line by line, blanks at the ends of
    lines and of the text ignored; lines of numbers agree when the numbers do (`1.50` is `1.5`)."""
    wanted, printed = expected.rstrip().splitlines(), actual.rstrip().splitlines()
    return len(wanted) == len(printed) and all(map(_same_line, wanted, printed))


def _same_line(wanted: str, printed: str) -> bool:
    if wanted.rstrip() == printed.rstrip():
        return True
    try:
        return list(map(Decimal, wanted.split())) == list(map(Decimal, printed.split()))
    except InvalidOperation:
        return False


def _holds_opaque(value: Any) -> bool:
    if isinstance(value, Opaque):
        return True
    if isinstance(value, dict):
        return any(map(_holds_opaque, value)) or any(map(_holds_opaque, value.values()))
    return isinstance(value, list | tuple | set | frozenset) and any(map(_holds_opaque, value))
