"""HumanEval's JSONL: task_id, prompt, entry_point, canonical_solution, test. The seed benchmark has this format too."""

import ast
from typing import Any

from ucoder.core.test_plans import Test
from ucoder.evaluator.benchmarks.task import BenchmarkTask


def task(entry: dict[str, Any]) -> BenchmarkTask:
    """Returns the task of one line. Raises KeyError and SyntaxError that name its fault."""
    return BenchmarkTask(
        task_id=entry["task_id"],
        prompt=entry["prompt"],
        entry_point=entry["entry_point"],
        tests=_split_check(entry["test"], entry["entry_point"]),
        canonical_solution=entry["canonical_solution"],
        groups=tuple(entry[key] for key in ("split", "domain") if entry.get(key)),
    )


def _split_check(check: str, entry_point: str) -> tuple[Test, ...]:
    """Returns the tests inside `def check(candidate)`.

    If its body holds only asserts, each becomes a test: those of literals are then compared outside the sandbox, and
    the time limit is that of one call. Any other body stays whole and is judged from another process.
    """
    function = next((n for n in ast.parse(check).body if isinstance(n, ast.FunctionDef) and n.name == "check"), None)
    if function is None:
        raise SyntaxError("the test defines no check()")
    if all(isinstance(statement, ast.Assert) for statement in function.body):
        renamed = _RenamedParameter(function.args.args[0].arg, entry_point)
        return tuple(Test(code=ast.unparse(renamed.visit(statement))) for statement in function.body)
    return (Test(code=f"{check}\n\ncheck({entry_point})\n"),)


class _RenamedParameter(ast.NodeTransformer):
    """A transformer that calls the tested function by its own name instead of by check's parameter."""

    def __init__(self, parameter: str, entry_point: str) -> None:
        self._parameter, self._entry_point = parameter, entry_point

    def visit_Name(self, node: ast.Name) -> ast.Name:
        return ast.Name(self._entry_point, node.ctx) if node.id == self._parameter else node
