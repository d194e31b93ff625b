"""MBPP's JSONL: text or prompt, code, test_list, test_setup_code; also under the names SandboxFusion gives them."""

import ast
from typing import Any

from ucoder.core.test_plans import Test
from ucoder.evaluator.benchmarks.task import BenchmarkTask

STOP = ('\n"""', "\nassert ", "\nif __name__", "\nprint(", "\n```")
"""Helpers may stand before the function, so `def` ends nothing."""


def task(entry: dict[str, Any]) -> BenchmarkTask:
    """The task of one line. The prompt shows the words and the first test, as InCoder and EvalPlus do."""
    words = _first(entry, "text", "prompt", "content")
    labels = entry.get("labels") or {}
    setup = "\n".join(
        [*entry.get("test_imports", []), entry.get("test_setup_code") or labels.get("test_setup_code") or ""]
    )
    asserts = entry["test_list"]
    code = _first(entry, "code", "canonical_solution").replace("\r\n", "\n")
    return BenchmarkTask(
        task_id=f"Mbpp/{_first(entry, 'task_id', 'id')}",
        prompt=f'"""\n{words}\n{asserts[0]}\n"""\n',
        entry_point=tested(asserts[0], code),
        tests=tuple(Test(code=f"{setup}\n{one}" if setup.strip() else one) for one in asserts),
        canonical_solution=code,
        given="",
        stop=STOP,
    )


def tested(assertion: str, code: str) -> str:
    """The function of `code` that an assertion calls."""
    defined = {node.name for node in ast.walk(ast.parse(code)) if isinstance(node, ast.FunctionDef | ast.ClassDef)}
    names = [node.id for node in ast.walk(ast.parse(assertion)) if isinstance(node, ast.Name)]
    found = next((name for name in names if name in defined), None)
    if found is None:
        raise ValueError(f"the test calls nothing that the solution defines: {assertion}")
    return found


def _first(entry: dict[str, Any], *names: str) -> Any:
    for name in names:
        if name in entry:
            return entry[name]
    raise KeyError(" or ".join(names))
