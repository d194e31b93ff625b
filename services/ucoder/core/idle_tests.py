"""Finds tests that call nothing of the program: every program passes them, so they say nothing about any."""

import ast
import builtins
from collections.abc import Iterator, Sequence

from ucoder.core.test_plans import Test

_BUILT_IN = frozenset(dir(builtins)) | {"__name__", "__file__"}
_DEFINITIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)


def idle_test(tests: Sequence[Test]) -> str:
    """Returns what is wrong with the first test that calls nothing of the program, with its number and its text; the
    empty text where there is none. A test that cannot be read is no idle one: its outcome says so.
    """
    for number, test in enumerate(tests, 1):
        if test.stdin is None and calls_nothing(test.code):
            line = next((line.strip() for line in test.code.splitlines() if line.strip()), "")
            return f"test {number} calls nothing of the program, so every program would pass it: {line[:80]}"
    return ""


def calls_nothing(code: str) -> bool:
    """Returns whether no statement that runs in a test names anything of the program.

    What runs are the statements of the file, the functions and classes that they name, and the cases of pytest and
    unittest.
    """
    try:
        tree = ast.parse(code)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    defined: dict[str, list[ast.AST]] = {}
    for node in ast.walk(tree):
        if isinstance(node, _DEFINITIONS):
            defined.setdefault(node.name, []).append(node)
    bound = {name for node in ast.walk(tree) for name in _bound(node)}
    if "*" in bound:
        return False
    waiting: list[ast.AST] = [one for one in tree.body if not isinstance(one, _DEFINITIONS) or _is_case(one)]
    waiting += [part for one in tree.body if isinstance(one, _DEFINITIONS) for part in one.decorator_list]
    seen: set[str] = set()
    while waiting:
        for node in ast.walk(waiting.pop()):
            name = node.id if isinstance(node, ast.Name) else node.attr if isinstance(node, ast.Attribute) else ""
            if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load) and name not in bound | _BUILT_IN:
                return False
            if name and name in defined and name not in seen:
                seen.add(name)
                waiting += defined[name]
    return True


def _is_case(node: ast.stmt) -> bool:
    if isinstance(node, ast.ClassDef):
        return node.name.startswith("Test") or any("TestCase" in ast.unparse(base) for base in node.bases)
    return isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test")


def _bound(node: ast.AST) -> Iterator[str]:
    """Yields the names that a node of a test binds; those it imports from the program's module are the program's."""
    if isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load):
        yield node.id
    elif isinstance(node, _DEFINITIONS):
        yield node.name
    elif isinstance(node, ast.arg):
        yield node.arg
    elif isinstance(node, ast.ExceptHandler) and node.name:
        yield node.name
    elif isinstance(node, ast.Import):
        yield from ((alias.asname or alias.name).split(".")[0] for alias in node.names if alias.name != "solution")
    elif isinstance(node, ast.ImportFrom) and node.module != "solution":
        yield from (alias.asname or alias.name for alias in node.names)
