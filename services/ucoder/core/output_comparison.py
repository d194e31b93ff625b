"""The comparison of what a script printed with the expected text, by the rules of the public benchmarks.

- `lines` (default): lines, without blanks at their ends and without empty lines at the end; lines of numbers by their
  numbers, within the tolerance.
- `livecodebench`: as LiveCodeBench's `testing_util`; both texts and all lines stripped, lines of numbers as decimals.
- `tokens`: as CodeContests; words between blanks, numbers within the tolerance, or 1e-5.
- `exact`: the texts as they are.

Under `livecodebench` a script may end with any exit status by `sys.exit`, because that harness catches SystemExit.
"""

import math
import re
from collections.abc import Callable
from decimal import Decimal, InvalidOperation

DEFAULT = "lines"
TOKENS_TOLERANCE = 1e-5
_NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?|[+-]?(?:inf|infinity|nan)", re.IGNORECASE)


def same_output(rule: str, expected: str, printed: str, tolerance: float = 0.0) -> bool:
    """Returns whether a script printed the expected text by a rule of `RULES`."""
    return RULES[rule](expected, printed, tolerance)


def ignores_exit_status(rule: str) -> bool:
    """Returns whether a script that ended by `sys.exit` with a status other than 0 may still pass."""
    return rule == "livecodebench"


def _same_lines(expected: str, printed: str, tolerance: float) -> bool:
    wanted, lines = _lines(expected), _lines(printed)
    return len(wanted) == len(lines) and all(
        one == other or _same_numbers(one, other, tolerance) for one, other in zip(wanted, lines, strict=True)
    )


def _lines(text: str) -> list[str]:
    lines = [line.rstrip() for line in text.split("\n")]
    while lines and not lines[-1]:
        lines.pop()
    return lines


def _same_numbers(expected: str, printed: str, tolerance: float) -> bool:
    wanted, found = expected.split(), printed.split()
    if len(wanted) != len(found) or not all(map(_NUMBER.fullmatch, [*wanted, *found])):
        return False
    pairs = list(zip(wanted, found, strict=True))
    return all(Decimal(one) == Decimal(other) or _near(one, other, tolerance) for one, other in pairs)


def _near(expected: str, printed: str, tolerance: float) -> bool:
    return tolerance > 0 and math.isclose(float(expected), float(printed), rel_tol=tolerance, abs_tol=tolerance)


def _as_livecodebench(expected: str, printed: str, tolerance: float) -> bool:
    wanted, lines = ([line.strip() for line in text.strip().split("\n")] for text in (expected, printed))
    return len(wanted) == len(lines) and all(map(_same_stripped_line, wanted, lines))


def _same_stripped_line(expected: str, printed: str) -> bool:
    try:
        return expected == printed or list(map(Decimal, expected.split())) == list(map(Decimal, printed.split()))
    except InvalidOperation:
        return False


def _same_tokens(expected: str, printed: str, tolerance: float) -> bool:
    wanted, found = expected.split(), printed.split()
    return len(wanted) == len(found) and all(
        one == other or _same_numbers(one, other, tolerance or TOKENS_TOLERANCE)
        for one, other in zip(wanted, found, strict=True)
    )


RULES: dict[str, Callable[[str, str, float], bool]] = {
    DEFAULT: _same_lines,
    "livecodebench": _as_livecodebench,
    "tokens": _same_tokens,
    "exact": lambda expected, printed, tolerance: expected == printed,
}
"""By name, the rules that a test may choose."""
