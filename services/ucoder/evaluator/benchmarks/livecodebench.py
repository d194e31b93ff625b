"""LiveCodeBench's JSONL for code generation: scripts that read stdin, or a method of `Solution`; compressed tests."""

import json
import re
from typing import Any, NamedTuple

from ucoder.core.test_plans import Test
from ucoder.evaluator.benchmarks.task import FENCE_STOP, BenchmarkTask, nested_json
from ucoder.runtime.plain_pickle import read_packed

MODULES = (
    "string", "re", "datetime", "collections", "heapq", "bisect", "copy", "math", "random", "statistics", "itertools",
    "functools", "operator", "io", "sys", "json", "builtins", "typing",
)  # fmt: skip
PREAMBLE = (
    "".join(f"from {name} import *\n" for name in MODULES)
    + f"import {', '.join(name for name in MODULES if name not in ('builtins', 'typing'))}\n"
    + "sys.setrecursionlimit(50000)\n"
)
"""The code that the official harness puts before every program."""
CPU_SECONDS = 6.0
"""Limit of one test, as in the official harness."""
MEMORY_MB = 4096
LARGEST_TESTS = 1 << 30
"""The most bytes of unpacked tests."""
RULE = "livecodebench"
"""The rule by which outputs are compared."""
SYSTEM = (
    "You are an expert Python programmer. You will be given a question (problem specification) and will generate a "
    "correct Python program that matches the specification and passes all tests."
)
SCRIPT = (
    "Read the inputs from stdin solve the problem and write the answer to stdout (do not directly test on the sample "
    "inputs). Enclose your code within delimiters as follows. Ensure that when the python program runs, it reads the "
    "inputs, runs the algorithm and writes output to STDOUT.\n```python\n# YOUR CODE HERE\n```\n\n"
)
STARTER = (
    "You will use the following starter code to write the solution to the problem and enclose your code within "
    "delimiters.\n```python\n{}\n```\n\n"
)
ANSWER = "### Answer: (use the provided format with backticks)\n\n"


def task(entry: dict[str, Any]) -> BenchmarkTask:
    """Returns the task of one line, in the official format or in SandboxFusion's."""
    line = _read_official(entry) if "question_content" in entry else _read_fusion(entry)
    if not line.pairs:
        raise ValueError("the task has no test")
    if line.method:
        tests = tuple(_method_test(line.method, *pair) for pair in line.pairs)
    else:
        tests = tuple(Test(stdin=given, expected_stdout=expected, comparison=RULE) for given, expected in line.pairs)
    return BenchmarkTask(
        task_id=line.task_id, prompt=f"{line.question}```python\n", entry_point="Solution" if line.method else "",
        tests=tests, groups=(line.difficulty,) if line.difficulty else (), cpu_seconds=CPU_SECONDS,
        memory_mb=MEMORY_MB, given="", preamble=PREAMBLE, method=line.method, stop=FENCE_STOP,
        question=line.question, opening="",
    )  # fmt: skip


class _Line(NamedTuple):
    """The content of one line, in either format."""

    question: str
    method: str
    """Empty for a script."""
    task_id: str
    difficulty: str
    pairs: list[tuple[str, str]]
    """Inputs with the expected outputs."""


def _read_official(entry: dict[str, Any]) -> _Line:
    starter, metadata = entry.get("starter_code") or "", json.loads(entry.get("metadata") or "{}")
    cases = json.loads(entry["public_test_cases"]) + _private_cases(entry["private_test_cases"])
    form = STARTER.format(starter) if starter else SCRIPT
    question = f"{SYSTEM}\n### Question:\n{entry['question_content']}\n\n### Format: {form}{ANSWER}"
    pairs = [(case["input"], case["output"]) for case in cases]
    method, difficulty = metadata.get("func_name") or "", entry.get("difficulty") or ""
    return _Line(question, method, entry["question_id"], difficulty, pairs)


def _read_fusion(entry: dict[str, Any]) -> _Line:
    labels, test = nested_json(entry["labels"]), read_packed(entry["test"], LARGEST_TESTS)
    cases = json.loads(test["input_output"] if isinstance(test, dict) else test)
    pairs = list(zip(cases["inputs"], cases["outputs"], strict=True))
    return _Line(entry["content"], cases.get("fn_name") or "", labels["task_id"], labels["difficulty"], pairs)


def _method_test(name: str, given: str, expected: str) -> Test:
    """Returns the test of one call of a method of a new `Solution`; `given` holds one JSON value a line."""
    arguments = ", ".join(repr(json.loads(line)) for line in given.split("\n") if line.strip())
    if re.fullmatch(r"\w+", name) is None:
        raise ValueError(f"{name!r} is no name of a method")
    return Test(code=f"assert Solution().{name}({arguments}) == {json.loads(expected)!r}", comparison=RULE)


def _private_cases(text: str) -> list[dict[str, str]]:
    """Reads the hidden tests: JSON, or JSON in a pickle in zlib in base64."""
    try:
        return json.loads(text)  # type: ignore[no-any-return]
    except ValueError:
        return json.loads(read_packed(text, LARGEST_TESTS))  # type: ignore[no-any-return]
