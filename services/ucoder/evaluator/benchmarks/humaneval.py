"""HumanEval's JSONL: task_id, prompt, entry_point, canonical_solution, test. The seed benchmark has this format too."""

import ast
import re
from typing import Any

from ucoder.core.test_plans import CallPlan, Test, read_plan
from ucoder.evaluator.benchmarks.task import BenchmarkTask

WALL_SECONDS = 3.0
"""The limit of the official harness, on the clock."""


def task(entry: dict[str, Any]) -> BenchmarkTask:
    """Returns the task of one line. Raises KeyError and SyntaxError that name its fault."""
    prompt, entry_point = entry["prompt"], entry["entry_point"]
    tree = ast.parse(entry["test"])
    if not any(isinstance(one, ast.FunctionDef | ast.AsyncFunctionDef) and one.name == "check" for one in tree.body):
        raise SyntaxError("the test defines no check()")
    whole = Test(code=f"{entry['test']}\n\ncheck({entry_point})\n")
    parts = _parts(tree, entry_point)
    return BenchmarkTask(
        task_id=entry["task_id"],
        prompt=prompt,
        entry_point=entry_point,
        tests=parts or (whole,),
        whole=whole if parts else None,
        canonical_solution=entry["canonical_solution"],
        stub=helpers_of(prompt, entry_point) if isinstance(prompt, str) else "",
        groups=tuple(entry[key] for key in ("split", "domain") if entry.get(key)),
        wall_seconds=WALL_SECONDS,
    )


def helpers_of(prompt: str, entry_point: str) -> str:
    """Returns the imports and helpers that a prompt has before the function that is asked for."""
    asked = re.search(rf"^(?:async )?def {re.escape(entry_point)}\b", prompt, re.MULTILINE)
    return prompt[: asked.start()] if asked and prompt[: asked.start()].strip() else ""


def _parts(tree: ast.Module, entry_point: str) -> tuple[Test, ...]:
    """Returns the asserts of `check` as tests of their own, if each compares a call with a literal and the file has
    nothing else: then the expected values stay outside the sandbox, and the time limit is that of one call.
    """
    [check, *others] = sorted(tree.body, key=lambda one: not isinstance(one, ast.FunctionDef))
    if not isinstance(check, ast.FunctionDef) or not all(map(_says_nothing, others)) or len(check.args.args) != 1:
        return ()
    renamed = _RenamedParameter(check.args.args[0].arg, entry_point)
    tests = [Test(code=ast.unparse(renamed.visit(one))) for one in check.body if isinstance(one, ast.Assert)]
    alone = len(tests) == len(check.body) and all(isinstance(read_plan(one, entry_point), CallPlan) for one in tests)
    return tuple(tests) if alone else ()


def _says_nothing(statement: ast.stmt) -> bool:
    """Returns whether a statement beside `check` is only a text or a constant, such as METADATA."""
    if isinstance(statement, ast.Assign):
        return ast.unparse(statement.targets[0]) == "METADATA"
    return isinstance(statement, ast.Pass) or (
        isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)
    )


class _RenamedParameter(ast.NodeTransformer):
    """A transformer that calls the tested function by its own name instead of by check's parameter."""

    def __init__(self, parameter: str, entry_point: str) -> None:
        self._parameter, self._called = parameter, ast.parse(entry_point, mode="eval").body

    def visit_Name(self, node: ast.Name) -> ast.expr:
        return self._called if node.id == self._parameter else node
