"""MBPP's JSONL: text or prompt, code, test_list, test_setup_code; SandboxFusion's names for them are read too."""

import ast
from typing import Any

from ucoder.core.test_plans import Test
from ucoder.evaluator.benchmarks.task import BenchmarkTask

MBPP_STOP = ('\n"""', "\nassert ", "\nif __name__", "\nprint(", "\n```")
"""Strings that end a continuation. Helpers may precede the function, so `def` is none of them."""


def task(entry: dict[str, Any]) -> BenchmarkTask:
    """Returns the task of one line. Its prompt shows the words and the first test, as InCoder and EvalPlus do."""
    words = _first_value(entry, "text", "prompt", "content")
    labels = entry.get("labels") or {}
    setup = "\n".join(
        [*entry.get("test_imports", []), entry.get("test_setup_code") or labels.get("test_setup_code") or ""]
    )
    asserts = entry["test_list"]
    code = _first_value(entry, "code", "canonical_solution").replace("\r\n", "\n")
    return BenchmarkTask(
        task_id=f"Mbpp/{_first_value(entry, 'task_id', 'id')}",
        prompt=f'"""\n{words}\n{asserts[0]}\n"""\n',
        entry_point=_tested_function(asserts[0], code),
        tests=tuple(Test(code=f"{setup}\n{one}" if setup.strip() else one) for one in asserts),
        canonical_solution=code,
        given="",
        stop=MBPP_STOP,
    )


def _tested_function(assertion: str, code: str) -> str:
    """Returns the name of the function of `code` that an assertion calls."""
    defined = {node.name for node in ast.walk(ast.parse(code)) if isinstance(node, ast.FunctionDef | ast.ClassDef)}
    names = [node.id for node in ast.walk(ast.parse(assertion)) if isinstance(node, ast.Name)]
    for name in names:
        if name in defined:
            return name
    raise ValueError(f"the test calls nothing that the solution defines: {assertion}")


def _first_value(entry: dict[str, Any], *names: str) -> Any:
    for name in names:
        if name in entry:
            return entry[name]
    raise KeyError(" or ".join(names))
