"""The rules by which SandboxFusion, ScaleBox and open-instruct compare what a program printed with what is expected.

The comparison runs here, where no program is. Every rule compares all lines: a shorter or longer output never passes.
"""

from decimal import Decimal, InvalidOperation

RELATIVE = 1e-5


def fusion_equal(printed: str, expected: str) -> bool:
    """Returns whether two outputs are equal by SandboxFusion's rule.

    Lines are compared without blanks at their ends and in lower case; a line that is one number may differ by a
    relative 1e-5.
    """
    lines, wanted = printed.strip().split("\n"), expected.strip().split("\n")
    return len(lines) == len(wanted) and all(map(_fusion_line, lines, wanted))


def token_equal(printed: str, expected: str) -> bool:
    """Returns whether two outputs are equal by open-instruct's rule: stripped lines, or the same decimals on a line."""
    lines = [line.strip() for line in printed.strip().split("\n")]
    wanted = [line.strip() for line in expected.strip().split("\n")]
    return len(lines) == len(wanted) and all(map(_token_line, lines, wanted))


def _fusion_line(line: str, wanted: str) -> bool:
    if line.strip().lower() == wanted.strip().lower():
        return True
    try:
        number, other = float(line), float(wanted)
    except ValueError:
        return False
    return abs(number - other) / max(abs(other), 1e-10) < RELATIVE


def _token_line(line: str, wanted: str) -> bool:
    if line == wanted:
        return True
    try:
        numbers, others = [Decimal(word) for word in line.split()], [Decimal(word) for word in wanted.split()]
        return numbers == others
    except (InvalidOperation, ValueError):
        return False
