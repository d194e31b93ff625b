"""Reads tests from completions: asserts and bare calls, checked and counted. The rest is dropped for named reasons."""

import ast
import builtins
import textwrap
from collections import Counter
from collections.abc import Iterable, Iterator
from enum import StrEnum

from ucoder.core.extraction import calls_name, parse

LONGEST = 2000
"""The limit of one test, in characters."""
_BLOCKS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.If, ast.With)


class TestDropReason(StrEnum):
    """The reasons for which text that may be a test is dropped."""

    SYNTAX = "syntax"
    """It begins like a test and does not parse."""
    NOT_A_TEST = "not_a_test"
    TRIVIAL = "trivial"
    """It holds whatever the function does."""
    UNKNOWN_NAME = "unknown_name"
    """It reads a variable that is defined elsewhere."""
    TOO_LONG = "too_long"
    OVER_LIMIT = "over_limit"
    """More tests were written than are kept."""
    NO_PAIR = "no_pair"
    """A completion for a script has no input with an output."""


def read_tests(completions: Iterable[str], entry_point: str, keep: int) -> tuple[Counter[str], Counter[str]]:
    """Returns at most `keep` distinct tests with their counts, most frequent first, and drops by `TestDropReason`."""
    tests: Counter[str] = Counter()
    dropped: Counter[str] = Counter()
    for completion in completions:
        for text in _possible_tests(completion, entry_point):
            normal, reason = _normal(text, entry_point)
            if reason:
                dropped[reason] += 1
            else:
                tests[normal] += 1
    ranked = sorted(tests.items(), key=lambda item: (-item[1], item[0]))
    if len(ranked) > keep:
        dropped[TestDropReason.OVER_LIMIT] = len(ranked) - keep
    return Counter(dict(ranked[:keep])), dropped


def calls_of(tests: Iterable[str], entry_point: str) -> list[str]:
    """Returns the distinct calls of the function that these tests make, in Python's own layout."""
    nodes = (node for tree in map(parse, tests) if tree for node in ast.walk(tree))
    return list(dict.fromkeys(ast.unparse(node) for node in nodes if calls_name(node, entry_point)))


def _possible_tests(completion: str, entry_point: str) -> Iterator[str]:
    """Yields the statements of a text that parses, also those of test functions, or else its lines, with the name."""
    text = textwrap.dedent(completion)
    tree = parse("\n".join(line for line in text.splitlines() if not line.lstrip().startswith("```")))
    if tree is None:
        yield from (line.strip() for line in text.splitlines() if entry_point in line)
        return
    waiting: list[ast.stmt] = list(reversed(tree.body))
    while waiting:
        statement = waiting.pop()
        if isinstance(statement, _BLOCKS) and getattr(statement, "name", "") != entry_point:
            waiting += reversed(statement.body)
        elif any(calls_name(node, entry_point) for node in ast.walk(statement)):
            yield ast.unparse(statement)


def _normal(text: str, entry_point: str) -> tuple[str, TestDropReason | None]:
    """Returns a test in its normal layout, so that equal tests count together, and the reason to drop it, if any."""
    if len(text) > LONGEST:
        return "", TestDropReason.TOO_LONG
    tree = parse(text)
    if tree is None:
        looks_like_test = text.startswith(("assert", entry_point))
        return "", TestDropReason.SYNTAX if looks_like_test else TestDropReason.NOT_A_TEST
    statement = tree.body[0] if len(tree.body) == 1 else None
    if isinstance(statement, ast.Assert):
        statement.msg = None
        is_test = any(calls_name(node, entry_point) for node in ast.walk(statement.test))
    else:
        is_test = isinstance(statement, ast.Expr) and calls_name(statement.value, entry_point)
    if statement is None or not is_test:
        return "", TestDropReason.NOT_A_TEST
    if isinstance(statement, ast.Assert) and _holds_always(statement.test):
        return "", TestDropReason.TRIVIAL
    if _reads_unknown_name(statement, entry_point):
        return "", TestDropReason.UNKNOWN_NAME
    return ast.unparse(statement), None


def _holds_always(condition: ast.expr) -> bool:
    """Recognises `x == x`, `... or True`, `isinstance(..., object)` and `len(...) >= 0`."""
    match condition:
        case ast.Compare(ast.Call(ast.Name("len")), [ast.GtE()], [ast.Constant(0)]):
            return True
        case ast.Call(ast.Name("isinstance"), [_, ast.Name("object")]):
            return True
        case ast.Compare(left, [ast.Eq() | ast.Is() | ast.LtE() | ast.GtE()], [right]):
            return ast.dump(left) == ast.dump(right)
        case ast.BoolOp(ast.Or(), values):
            return any(isinstance(value, ast.Constant) and bool(value.value) for value in values)
    return False


def _reads_unknown_name(statement: ast.stmt, entry_point: str) -> bool:
    """Returns whether a test reads a name that is neither the function, a builtin, nor bound in the test."""
    names = [node for node in ast.walk(statement) if isinstance(node, ast.Name)]
    bound = {name.id for name in names if isinstance(name.ctx, ast.Store)}
    bound |= {node.arg for node in ast.walk(statement) if isinstance(node, ast.arg)}
    return any(name.id not in bound | {entry_point} and not hasattr(builtins, name.id) for name in names)
