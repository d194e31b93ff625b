"""Tests out of what a model wrote: asserts and bare calls, checked and counted, the rest dropped for named reasons."""

import ast
import textwrap
from collections import Counter
from collections.abc import Iterable

from ucoder.core.extraction import parse

LONGEST = 2000  # characters of one test


def read_tests(completions: Iterable[str], entry_point: str, keep: int) -> tuple[Counter[str], Counter[str]]:
    """Distinct tests with how often they were written, most often first, at most `keep`; and drops by reason.

    Reasons: syntax (a line that begins like a test and does not parse), not_a_test, trivial (compares the call with
    itself, or a constant), too_long, over_limit.
    """
    tests: Counter[str] = Counter()
    dropped: Counter[str] = Counter()
    for completion in completions:
        for line in textwrap.dedent(completion).splitlines():
            line = line.strip()
            if entry_point not in line:
                continue
            if len(line) > LONGEST:
                dropped["too_long"] += 1
                continue
            normal, reason = _normal(line, entry_point)
            if normal is None:
                dropped[reason] += 1
            else:
                tests[normal] += 1
    ranked = sorted(tests.items(), key=lambda item: (-item[1], item[0]))
    if len(ranked) > keep:
        dropped["over_limit"] = len(ranked) - keep
    return Counter(dict(ranked[:keep])), dropped


def _normal(line: str, entry_point: str) -> tuple[str | None, str]:
    """The test in its normal layout, so that equal ones count together; or None and the reason."""
    tree = parse(line)
    if tree is None:
        return None, "syntax" if line.startswith(("assert", entry_point)) else "not_a_test"
    if len(tree.body) != 1:
        return None, "not_a_test"
    statement = tree.body[0]
    if isinstance(statement, ast.Expr) and _calls(statement.value, entry_point):
        return ast.unparse(statement), ""
    if not isinstance(statement, ast.Assert):
        return None, "not_a_test"
    statement.msg = None
    calls = [node for node in ast.walk(statement.test) if _calls(node, entry_point)]
    if not calls:
        return None, "not_a_test"
    condition = statement.test
    if isinstance(condition, ast.Compare) and ast.dump(condition.left) == ast.dump(condition.comparators[0]):
        return None, "trivial"
    return ast.unparse(statement), ""


def _calls(node: ast.AST, entry_point: str) -> bool:
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == entry_point
