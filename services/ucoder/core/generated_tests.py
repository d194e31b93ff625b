"""Tests out of what a model wrote: asserts and bare calls, checked and counted, the rest dropped for named reasons."""

import ast
import builtins
import textwrap
from collections import Counter
from collections.abc import Iterable, Iterator

from ucoder.core.extraction import parse

LONGEST = 2000  # characters of one test
_BLOCKS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.If, ast.With)


def read_tests(completions: Iterable[str], entry_point: str, keep: int) -> tuple[Counter[str], Counter[str]]:
    """Distinct tests with how often they were written, most often first, at most `keep`; and drops by reason.

    Reasons: syntax (begins like a test and does not parse), not_a_test, trivial (holds whatever the function does),
    unknown_name (needs a variable that stands elsewhere), too_long, over_limit.
    """
    tests: Counter[str] = Counter()
    dropped: Counter[str] = Counter()
    for completion in completions:
        for text in _pieces(completion, entry_point):
            if len(text) > LONGEST:
                dropped["too_long"] += 1
                continue
            normal, reason = _normal(text, entry_point)
            if normal is None:
                dropped[reason] += 1
            else:
                tests[normal] += 1
    ranked = sorted(tests.items(), key=lambda item: (-item[1], item[0]))
    if len(ranked) > keep:
        dropped["over_limit"] = len(ranked) - keep
    return Counter(dict(ranked[:keep])), dropped


def calls_of(tests: Iterable[str], entry_point: str) -> list[str]:
    """The calls of the function that these tests make, each once, in Python's own layout."""
    trees = [tree for tree in map(parse, tests) if tree]
    found = (ast.unparse(node) for tree in trees for node in ast.walk(tree) if _calls(node, entry_point))
    return list(dict.fromkeys(found))


def _pieces(completion: str, entry_point: str) -> Iterator[str]:
    """What may be tests: the statements of a text that parses, those of test functions too; else its lines."""
    text = textwrap.dedent(completion)
    tree = parse(_unfenced(text))
    if tree is None:
        yield from (line.strip() for line in text.splitlines() if entry_point in line)
        return
    waiting: list[ast.stmt] = list(reversed(tree.body))
    while waiting:
        statement = waiting.pop()
        if isinstance(statement, _BLOCKS) and getattr(statement, "name", "") != entry_point:
            waiting += reversed(statement.body)
        elif any(_calls(node, entry_point) for node in ast.walk(statement)):
            yield ast.unparse(statement)


def _unfenced(text: str) -> str:
    """The text without lines that only open or close a code block."""
    return "\n".join(line for line in text.splitlines() if not line.lstrip().startswith("```"))


def _normal(text: str, entry_point: str) -> tuple[str | None, str]:
    """The test in its normal layout, so that equal ones count together; or None and the reason."""
    tree = parse(text)
    if tree is None:
        return None, "syntax" if text.startswith(("assert", entry_point)) else "not_a_test"
    if len(tree.body) != 1:
        return None, "not_a_test"
    statement = tree.body[0]
    if not isinstance(statement, ast.Assert) and not (
        isinstance(statement, ast.Expr) and _calls(statement.value, entry_point)
    ):
        return None, "not_a_test"
    if isinstance(statement, ast.Assert):
        statement.msg = None
        if not any(_calls(node, entry_point) for node in ast.walk(statement.test)):
            return None, "not_a_test"
        if _holds_always(statement.test):
            return None, "trivial"
    if _unknown(statement, entry_point):
        return None, "unknown_name"
    return ast.unparse(statement), ""


def _holds_always(condition: ast.expr) -> bool:
    """`x == x`, `... or True`, `isinstance(..., object)`, `len(...) >= 0`."""
    match condition:
        case ast.Compare(left, [ast.Eq() | ast.Is() | ast.LtE() | ast.GtE()], [right]) if ast.dump(left) == ast.dump(
            right
        ):
            return True
        case ast.BoolOp(ast.Or(), values):
            return any(isinstance(one, ast.Constant) and bool(one.value) for one in values)
        case ast.Call(ast.Name("isinstance"), [_, ast.Name("object")]):
            return True
        case ast.Compare(ast.Call(ast.Name("len")), [ast.GtE()], [ast.Constant(0)]):
            return True
    return False


def _unknown(statement: ast.stmt, entry_point: str) -> bool:
    """Whether it reads a name that is neither the function, a builtin, nor bound within it."""
    names = [node for node in ast.walk(statement) if isinstance(node, ast.Name)]
    bound = {name.id for name in names if isinstance(name.ctx, ast.Store)}
    bound |= {node.arg for node in ast.walk(statement) if isinstance(node, ast.arg)}
    return any(name.id not in bound | {entry_point} and not hasattr(builtins, name.id) for name in names)


def _calls(node: ast.AST, entry_point: str) -> bool:
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == entry_point
