"""HumanEval's JSONL (task_id, prompt, entry_point, canonical_solution, test): HumanEval, HumanEval+, the seed's."""

import ast
from typing import Any

from ucoder.core.test_plans import Test
from ucoder.evaluator.benchmarks.task import BenchmarkTask


def task(entry: dict[str, Any]) -> BenchmarkTask:
    """The task of one line. KeyError and SyntaxError tell what is wrong with it."""
    return BenchmarkTask(
        task_id=entry["task_id"],
        prompt=entry["prompt"],
        entry_point=entry["entry_point"],
        tests=tests(entry["test"], entry["entry_point"]),
        canonical_solution=entry["canonical_solution"],
        groups=tuple(entry[key] for key in ("split", "domain") if entry.get(key)),
    )


def tests(check: str, entry_point: str) -> tuple[Test, ...]:
    """The tests inside `def check(candidate)`.

    Where it is nothing but asserts, each becomes a test of its own, so that literal ones are compared outside the
    sandbox and its time limit is one call's. Any other body stays whole and is judged from another process.
    """
    function = next((n for n in ast.parse(check).body if isinstance(n, ast.FunctionDef) and n.name == "check"), None)
    if function is None:
        raise SyntaxError("the test defines no check()")
    if all(isinstance(statement, ast.Assert) for statement in function.body):
        renamed = _Renamed(function.args.args[0].arg, entry_point)
        return tuple(Test(code=ast.unparse(renamed.visit(statement))) for statement in function.body)
    return (Test(code=f"{check}\n\ncheck({entry_point})\n"),)


class _Renamed(ast.NodeTransformer):
    """The function under test by its own name instead of check's parameter."""

    def __init__(self, parameter: str, entry_point: str) -> None:
        self._parameter, self._entry_point = parameter, entry_point

    def visit_Name(self, node: ast.Name) -> ast.Name:
        return ast.Name(self._entry_point, node.ctx) if node.id == self._parameter else node
