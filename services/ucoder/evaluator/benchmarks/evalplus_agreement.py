"""The rules of EvalPlus by which a result agrees with the reference's. The source is also a part of each test."""

import copy  # noqa: F401 - the test that embeds this source uses it
import math
from typing import Any

SETS = {
    "similar_elements", "find_char_long", "common_in_nested_lists", "extract_singly", "larg_nnum",
    "intersection_array", "find_dissimilar", "Diff",
}  # fmt: skip
FOUND_OR_NOT = {"check_str", "text_match_three", "text_starta_endb"}


def agree(name: str, given: tuple[Any, ...], result: Any, expected: Any, tolerance: float) -> bool:
    """Returns whether the function called `name` answered `given` as the reference did; some tasks are ambiguous."""
    if name == "find_zero":
        return bool(abs(sum(c * result**power for power, c in enumerate(given[0]))) <= tolerance)
    if name in SETS:
        return set(result) == set(expected)
    if name in FOUND_OR_NOT and not isinstance(result, bool):
        return bool(expected) == (result is not None)
    if result == expected or name == "are_equivalent" or (name == "sum_div" and result == 0):
        return True
    if name == "surface_Area":  # the height may be the pyramid's instead of the slant's
        edge, height = given
        return bool(abs(result - round(edge**2 + 2 * edge * math.hypot(edge / 2, height))) <= tolerance)
    if name == "digit_distance_nums":  # digit by digit
        one, other = (str(number).zfill(max(len(str(n)) for n in given)) for number in given)
        return bool(result == sum(abs(int(a) - int(b)) for a, b in zip(one, other, strict=True)))
    return close(result, expected, tolerance or (1e-6 if floats(expected) else 0.0))


def floats(value: Any) -> bool:
    """Returns whether a value is a float or a non-empty sequence of floats."""
    if isinstance(value, list | tuple) and value:
        return all(isinstance(item, float) for item in value)
    return isinstance(value, float)


def close(result: Any, expected: Any, tolerance: float) -> bool:
    """Returns whether numbers differ by at most `tolerance` plus 1e-7 of the expected one, and all else is equal."""
    if not tolerance or type(result) is not type(expected):
        return False
    if isinstance(expected, list | tuple):
        return len(result) == len(expected) and all(
            one == other or near(one, other, tolerance) for one, other in zip(result, expected, strict=True)
        )
    return near(result, expected, tolerance)


def near(result: Any, expected: Any, tolerance: float) -> bool:
    """Returns the same as `close` for two inner values, whose types may differ."""
    if isinstance(expected, list | tuple):
        return isinstance(result, list | tuple) and close(type(expected)(result), expected, tolerance)
    return bool(abs(result - expected) <= tolerance + 1e-7 * abs(expected))
