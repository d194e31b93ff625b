"""The run of a test file in the namespace of a program, as Python runs both in one file.

After its statements have run, the file's unittest classes and pytest functions run too, case by case. The first case
that does not pass gives the verdict. A file whose cases were all skipped has tested nothing: it is unsupported.
"""

import ast
import asyncio
import contextlib
import importlib.util
import inspect
import itertools
import re
import sys
import unittest
from collections.abc import Callable, Iterator
from types import FunctionType
from typing import Any

from ucoder.sandbox_runner.guest import pytest_forms
from ucoder.sandbox_runner.guest.cell_protocol import EXCEPTION, FAILED, PASSED, UNSUPPORTED

_ADDRESS = re.compile(r"\b0x[0-9a-f]{6,}\b")
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
        return run_functions(functions, groups, namespace)


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


def run_functions(functions: list[Any], groups: list[type], namespace: dict[str, Any]) -> tuple[str, str]:
    """Runs test functions and the methods of test classes, each with its parameters and fixtures. Returns PASSED, also
    where there are none; UNSUPPORTED where every case was skipped. Raises what a case raises.
    """
    functions_of_file = {name: one for name, one in namespace.items() if isinstance(one, FunctionType)}
    fixtures = {name: one for name, one in functions_of_file.items() if hasattr(one, "pytest_fixture")}
    ran = skipped = 0
    cases: list[tuple[Any, type | None]] = [(function, None) for function in functions]
    cases += [(one, kind) for kind in groups for name, one in vars(kind).items() if name.startswith("test")]
    for function, kind in cases:
        marks = getattr(function, "pytestmark", [])
        for given in _parameters(marks):
            ran += 1
            try:
                if any(name == "skip" or (name == "skipif" and args and args[0]) for name, args, _ in marks):
                    raise unittest.SkipTest("marked")
                _run_case(function, kind, given, fixtures)
            except unittest.SkipTest:
                skipped += 1
            except Exception:
                if not any(name == "xfail" for name, _, _ in marks):
                    raise
    return (UNSUPPORTED, "every case was skipped") if ran and ran == skipped else (PASSED, "")


def _parameters(marks: list[Any]) -> Iterator[dict[str, Any]]:
    """Yields the arguments of each case: every combination of what the parametrize marks give."""
    lists = []
    for name, args, _ in marks:
        if name == "parametrize":
            names = [one.strip() for one in args[0].split(",")] if isinstance(args[0], str) else list(args[0])
            rows = [getattr(row, "pytest_values", (row,) if len(names) == 1 else row) for row in args[1]]
            lists.append([dict(zip(names, row, strict=True)) for row in rows])
    for combination in itertools.product(*lists):
        yield {name: value for part in combination for name, value in part.items()}


def _run_case(function: Any, kind: type | None, given: dict[str, Any], fixtures: dict[str, Any]) -> None:
    with contextlib.ExitStack() as stack:
        made: dict[str, Any] = dict(given)

        def value_of(name: str) -> Any:
            if name not in made:
                maker = fixtures[name] if name in fixtures else pytest_forms.FIXTURES[name]
                value = maker(**{one: value_of(one) for one in inspect.signature(maker).parameters})
                if inspect.isgenerator(value):
                    generator, value = value, next(value)
                    stack.callback(next, generator, None)
                made[name] = value
            return made[name]

        for name, one in fixtures.items():
            if one.pytest_fixture.get("autouse"):
                value_of(name)
        instance = [] if kind is None else [kind()]
        if instance and hasattr(instance[0], "setup_method"):
            instance[0].setup_method(*[function][: len(inspect.signature(instance[0].setup_method).parameters)])
        names = list(inspect.signature(function).parameters)[len(instance) :]
        unknown = [
            name for name in names if name not in made and name not in fixtures and name not in pytest_forms.FIXTURES
        ]
        if unknown:
            if all(
                inspect.signature(function).parameters[name].default is not inspect.Parameter.empty for name in unknown
            ):
                names = [name for name in names if name not in unknown]
            else:
                raise LookupError(f"fixture {unknown[0]!r} not found")
        result = function(*instance, **{name: value_of(name) for name in names})
        if inspect.iscoroutine(result):
            asyncio.run(result)
        if instance and hasattr(instance[0], "teardown_method"):
            instance[0].teardown_method(*[function][: len(inspect.signature(instance[0].teardown_method).parameters)])


def error_text(error: BaseException) -> str:
    """Returns `!Type: message` without what differs from run to run: addresses, and where a recursion ended."""
    try:
        message = "" if isinstance(error, RecursionError) else str(error)[:300]
    except Exception:
        message = ""
    name = type.__getattribute__(type(error), "__name__")[:100]
    return f"!{name}: {_ADDRESS.sub('0x', message)}" if message else f"!{name}"
