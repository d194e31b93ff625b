"""LiveCodeBench's JSONL, code generation: scripts that read stdin, or a method of `Solution`; tests are compressed."""

import base64
import binascii
import io
import json
import pickle
import re
import zlib
from typing import Any

from ucoder.core.test_plans import Test
from ucoder.evaluator.benchmarks.task import FENCE, BenchmarkTask

STARS = (
    "string", "re", "datetime", "collections", "heapq", "bisect", "copy", "math", "random", "statistics", "itertools",
    "functools", "operator", "io", "sys", "json", "builtins", "typing",
)  # fmt: skip
PREAMBLE = (
    "".join(f"from {name} import *\n" for name in STARS)
    + f"import {', '.join(name for name in STARS if name not in ('builtins', 'typing'))}\n"
    + "sys.setrecursionlimit(50000)\n"
)
"""What the official harness puts before every program."""
CPU_SECONDS = 6.0
"""Of one test, as in the official harness."""
MEMORY_MB = 4096
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
    """The task of one line, in the official format or in SandboxFusion's."""
    read = _official if "question_content" in entry else _fusion
    question, name, task_id, group, pairs = read(entry)
    if not pairs:
        raise ValueError("the task has no test")
    tests = tuple(_method(name, *pair) if name else Test(stdin=pair[0], expected_stdout=pair[1]) for pair in pairs)
    return BenchmarkTask(
        task_id=task_id, prompt=f"{question}```python\n", entry_point="Solution" if name else "", tests=tests,
        groups=(group,) if group else (), cpu_seconds=CPU_SECONDS, memory_mb=MEMORY_MB, given="", preamble=PREAMBLE,
        stop=FENCE, question=question, opening="",
    )  # fmt: skip


Read = tuple[str, str, str, str, list[tuple[str, str]]]
"""Question, method (empty for a script), task id, difficulty, inputs with outputs."""


def _official(entry: dict[str, Any]) -> Read:
    starter, metadata = entry.get("starter_code") or "", json.loads(entry.get("metadata") or "{}")
    cases = json.loads(entry["public_test_cases"]) + _private(entry["private_test_cases"])
    form = STARTER.format(starter) if starter else SCRIPT
    question = f"{SYSTEM}\n### Question:\n{entry['question_content']}\n\n### Format: {form}{ANSWER}"
    pairs = [(case["input"], case["output"]) for case in cases]
    return question, metadata.get("func_name") or "", entry["question_id"], entry.get("difficulty") or "", pairs


def _fusion(entry: dict[str, Any]) -> Read:
    labels = json.loads(entry["labels"]) if isinstance(entry["labels"], str) else entry["labels"]
    held = _unpacked(entry["test"])
    found = json.loads(held["input_output"]) if isinstance(held, dict) else json.loads(held)
    pairs = list(zip(found["inputs"], found["outputs"], strict=True))
    return entry["content"], found.get("fn_name") or "", labels["task_id"], labels["difficulty"], pairs


def _method(name: str, given: str, expected: str) -> Test:
    """One call of a method of a new `Solution`; arguments and answer stand one JSON value a line."""
    arguments = ", ".join(repr(json.loads(line)) for line in given.split("\n") if line.strip())
    if re.fullmatch(r"\w+", name) is None:
        raise ValueError(f"{name!r} is no name of a method")
    return Test(
        code=f"result = Solution().{name}({arguments})\n"
        f"expected = {json.loads(expected)!r}\n"
        "assert (list(result) if isinstance(result, tuple) else result) == expected"
    )


def _private(text: str) -> list[dict[str, str]]:
    """Hidden tests: JSON, or JSON in a pickle in zlib in base64."""
    try:
        return json.loads(text)  # type: ignore[no-any-return]
    except ValueError:
        return json.loads(_unpacked(text))  # type: ignore[no-any-return]


def _unpacked(text: str) -> Any:
    try:
        return _Plain(io.BytesIO(zlib.decompress(base64.b64decode(text, validate=True)))).load()
    except (binascii.Error, zlib.error, EOFError, IndexError, pickle.UnpicklingError) as error:
        raise ValueError(f"the compressed tests are broken: {error}") from None


class _Plain(pickle.Unpickler):
    """Texts, numbers, lists and dicts: a pickle that asks for anything else could run code."""

    def find_class(self, module_name: str, global_name: str) -> Any:
        raise pickle.UnpicklingError(f"it asks for {module_name}.{global_name}")
