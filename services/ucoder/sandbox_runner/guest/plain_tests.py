"""The run of a test file in the namespace of a program, as Python runs both in one file.

After its statements have run, the file's unittest classes and pytest functions run too, case by case. The first case
that does not pass gives the verdict. A file whose cases were all skipped has tested nothing: it is unsupported.
"""

import ast
import importlib.util
import sys
import unittest
from collections.abc import Callable
from typing import Any

from ucoder.sandbox_runner.guest import pytest_forms
from ucoder.sandbox_runner.guest.cell_protocol import EXCEPTION, FAILED, PASSED, UNSUPPORTED

_RUNNERS = frozenset({"unittest.main()", "pytest.main()"})


class TestFile:
    """One test file, compiled, with the names of the cases that it defines."""

    __test__ = False  # pytest would take it for a test class

    def __init__(self, source: str, rewrite: Callable[[ast.Module], ast.Module] = lambda tree: tree) -> None:
        self.needs_pytest = "pytest" in source
        self.functions, self.classes = list[str](), list[str]()
        try:
            self.read(rewrite(ast.parse(source)))
        except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
            self.code: Any = error

    def read(self, tree: ast.Module) -> None:
        """Compiles the file and finds its cases."""
        tree.body = [one for one in tree.body if not _starts_a_runner(one)]
        self.code = compile(tree, "<test>", "exec", dont_inherit=True)
        called = {
            node.func.id
            for statement in tree.body
            if not isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
            for node in ast.walk(statement)
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
        }
        self.functions = [one.name for one in tree.body if _is_case(one) and one.name not in called]  # type: ignore[attr-defined]
        self.classes = [one.name for one in tree.body if isinstance(one, ast.ClassDef) and one.name not in called]

    def run(self, namespace: dict[str, Any]) -> tuple[str, str]:
        """Runs the file and its cases; returns status and text. Raises what a statement of the test raises."""
        if isinstance(self.code, Exception):
            raise self.code
        if self.needs_pytest and importlib.util.find_spec("pytest") is None:
            sys.modules["pytest"] = pytest_forms.stand_in()
        exec(self.code, namespace)
        kinds = [value for name in self.classes if isinstance(value := namespace.get(name), type)]
        cases = [kind for kind in kinds if issubclass(kind, unittest.TestCase)]
        if cases:
            status, text = run_unit_tests(cases)
            if status != PASSED:
                return status, text
        groups = [kind for kind in kinds if kind.__name__.startswith("Test") and kind not in cases]
        functions = [namespace[name] for name in self.functions if name in namespace]
        return pytest_forms.run_cases(functions, groups, namespace)


def run_unit_tests(cases: list[type[unittest.TestCase]]) -> tuple[str, str]:
    """Runs unittest classes. Returns status and text of the first case that did not pass."""
    suite = unittest.TestSuite(map(unittest.defaultTestLoader.loadTestsFromTestCase, cases))
    result = unittest.TestResult()
    suite.run(result)
    if result.errors:
        return EXCEPTION, result.errors[0][1][-300:]
    if result.failures or result.unexpectedSuccesses:
        return FAILED, result.failures[0][1][-300:] if result.failures else "an unexpected success"
    if result.testsRun and result.testsRun == len(result.skipped):
        return UNSUPPORTED, "every case was skipped"
    return PASSED, ""


def _is_case(statement: ast.stmt) -> bool:
    return isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef) and statement.name.startswith("test")


def _starts_a_runner(statement: ast.stmt) -> bool:
    """Returns whether a statement only starts a runner of tests, which is done here for every file."""
    if isinstance(statement, ast.If) and "__name__" in ast.unparse(statement.test):
        return all(map(_starts_a_runner, statement.body))
    if not isinstance(statement, ast.Expr) or not isinstance(statement.value, ast.Call):
        return False
    return f"{ast.unparse(statement.value.func)}()" in _RUNNERS
