"""Splits a user's test file into tests that are judged one by one: asserts, pytest functions with cases, unittest.

Each test becomes a text that stands alone: the imports and helpers of the file, then the one test. Names that the tests
import from the module of the solution become plain names of the program. Fixtures and plugins of pytest are refused.
"""

import ast
import builtins
import copy
import sys
from pathlib import Path

from ucoder.errors import Misconfigured

BUILTINS = set(dir(builtins))


def read_tests(path: Path) -> list[str]:
    """Returns the tests of a file, in its order. Raises Misconfigured that names the line which cannot be used."""
    try:
        tree = ast.parse(path.read_text())
    except OSError as error:
        raise Misconfigured(f"--tests {path}: {error.strerror}.") from None
    except (SyntaxError, ValueError) as error:
        raise Misconfigured(f"--tests {path}: {error}.") from None
    tree = _PlainNames(tree).visit(tree)
    preamble: list[ast.stmt] = []
    tests: list[str] = []
    for statement in tree.body:
        if isinstance(statement, ast.Import | ast.ImportFrom):
            preamble += [statement] if _is_standard(statement) else []
        elif isinstance(statement, ast.Assert):
            tests.append(_stand_alone(preamble, [statement]))
        elif isinstance(statement, ast.FunctionDef) and statement.name.startswith("test"):
            tests += _of_function(path, preamble, statement)
        elif isinstance(statement, ast.ClassDef) and any(_name(base).endswith("TestCase") for base in statement.bases):
            tests += _of_class(preamble, statement)
        elif not (isinstance(statement, ast.If) and "__main__" in ast.unparse(statement.test)):
            preamble.append(statement)
    for node in (node for test in tests for node in ast.walk(ast.parse(test))):
        if isinstance(node, ast.Attribute) and _name(node.value) == "pytest":
            raise Misconfigured(f"--tests {path}: pytest.{node.attr} is not supported; asserts and pytest.raises are.")
    if not tests:
        raise Misconfigured(f"--tests {path}: the file has no assert, no function test_... and no unittest.TestCase.")
    return tests


def _stand_alone(preamble: list[ast.stmt], body: list[ast.stmt]) -> str:
    """Returns the text of a test, with the preamble where the test uses a name of it."""
    module = ast.Module(body, [])
    used = {node.id for node in ast.walk(module) if isinstance(node, ast.Name)}
    defined = {name for statement in preamble for name in _defined_names(statement)}
    whole = [*preamble, *body] if used & defined else body
    return ast.unparse(ast.fix_missing_locations(ast.Module(whole, [])))


def _of_function(path: Path, preamble: list[ast.stmt], function: ast.FunctionDef) -> list[str]:
    """Returns one test for each case of a function; for each assert where the function has nothing else."""
    calls = [f"{function.name}()"]
    for decorator in function.decorator_list:
        called = decorator.func if isinstance(decorator, ast.Call) else decorator
        if not (isinstance(decorator, ast.Call) and ast.unparse(called).endswith("mark.parametrize")):
            raise Misconfigured(f"--tests {path}:{decorator.lineno}: @{ast.unparse(called)} is not supported.")
        names = decorator.args[0]
        many = "," in str(getattr(names, "value", ",")) or isinstance(names, ast.Tuple | ast.List)
        if len(function.decorator_list) > 1 or not isinstance(decorator.args[1], ast.List | ast.Tuple):
            raise Misconfigured(f"--tests {path}:{decorator.lineno}: only one list of cases is supported.")
        calls = [f"{function.name}({'*' if many else ''}{ast.unparse(case)})" for case in decorator.args[1].elts]
    if not function.decorator_list and function.args.args:
        raise Misconfigured(f"--tests {path}:{function.lineno}: {function.name} takes fixtures; none are supported.")
    body = [s for s in function.body if not (isinstance(s, ast.Expr) and isinstance(s.value, ast.Constant))]
    if not function.decorator_list and all(isinstance(statement, ast.Assert) for statement in body):
        return [_stand_alone(preamble, [statement]) for statement in body]
    bare = copy.deepcopy(function)
    bare.decorator_list = []
    return [_stand_alone(preamble, [bare, *ast.parse(call).body]) for call in calls]


def _of_class(preamble: list[ast.stmt], case: ast.ClassDef) -> list[str]:
    """Returns one test for each test method, with the rest of its class."""
    methods = [one for one in case.body if isinstance(one, ast.FunctionDef) and one.name.startswith("test")]
    texts = []
    for method in methods:
        alone = copy.copy(case)
        alone.body = [one for one in case.body if one is method or one not in methods]
        texts.append(ast.unparse(ast.fix_missing_locations(ast.Module([*preamble, alone], []))))
    return texts


class _PlainNames(ast.NodeTransformer):
    """Replaces names of the solution's module by plain names, and `with pytest.raises(E)` by plain Python."""

    def __init__(self, tree: ast.Module) -> None:
        imports = [one for one in ast.walk(tree) if isinstance(one, ast.Import | ast.ImportFrom)]
        from_solution = [one for one in imports if not _is_standard(one)]
        self._modules = {a.asname or a.name for one in from_solution if isinstance(one, ast.Import) for a in one.names}
        self._modules.discard("pytest")
        taken = (a for one in from_solution if isinstance(one, ast.ImportFrom) for a in one.names)
        self._renamed = {alias.asname: alias.name for alias in taken if alias.asname}

    def visit_Attribute(self, node: ast.Attribute) -> ast.expr:
        self.generic_visit(node)
        return ast.copy_location(ast.Name(node.attr, node.ctx), node) if _name(node.value) in self._modules else node

    def visit_Name(self, node: ast.Name) -> ast.expr:
        return ast.copy_location(ast.Name(self._renamed.get(node.id, node.id), node.ctx), node)

    def visit_With(self, node: ast.With) -> ast.stmt:
        self.generic_visit(node)
        first = node.items[0].context_expr
        if len(node.items) > 1 or not isinstance(first, ast.Call) or ast.unparse(first.func) != "pytest.raises":
            return node
        handler = ast.ExceptHandler(first.args[0], None, [ast.Pass()])
        missed = ast.parse("raise AssertionError('did not raise')").body
        return ast.copy_location(ast.Try(node.body, [handler], missed, []), node)


def _is_standard(statement: ast.Import | ast.ImportFrom) -> bool:
    names = [statement.module or ""] if isinstance(statement, ast.ImportFrom) else [a.name for a in statement.names]
    return all(name.partition(".")[0] in sys.stdlib_module_names for name in names)


def _defined_names(statement: ast.stmt) -> set[str]:
    if isinstance(statement, ast.Import | ast.ImportFrom):
        return {(alias.asname or alias.name).partition(".")[0] for alias in statement.names}
    if isinstance(statement, ast.FunctionDef | ast.ClassDef):
        return {statement.name}
    return {n.id for n in ast.walk(statement) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)} - BUILTINS


def _name(node: ast.expr) -> str:
    return node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""
