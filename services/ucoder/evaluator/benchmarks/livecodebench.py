"""LiveCodeBench's JSONL, code generation: scripts that read stdin, or a method of `Solution`; tests are compressed."""

import base64
import binascii
import io
import json
import pickle
import re
import zlib
from typing import Any

from ucoder.core.test_cases import TestCase
from ucoder.evaluator.benchmarks.task import Task

IMPORTS = "from typing import *\nfrom collections import *\nimport collections, heapq, itertools, math, re, string\n"
"""What the official harness puts before a `Solution`."""
FORMAT = {
    False: "Read stdin, solve the problem and write the answer to stdout. Enclose the program in ```python fences.",
    True: "Use the following starter code, and enclose the program in ```python fences.",
}


def task(entry: dict[str, Any]) -> Task:
    """The task of one line, in the official format or in SandboxFusion's."""
    if "question_content" in entry:
        starter = entry.get("starter_code") or ""
        metadata = json.loads(entry.get("metadata") or "{}")
        cases = json.loads(entry["public_test_cases"]) + _private(entry["private_test_cases"])
        pairs = [(case["input"], case["output"]) for case in cases]
        shown = f"```python\n{starter}\n```\n" if starter else ""
        prompt = (
            f"### Question:\n{entry['question_content']}\n\n### Format: {FORMAT[bool(starter)]}\n{shown}\n### Answer:\n"
        )
        name, task_id, group = metadata.get("func_name", ""), entry["question_id"], entry.get("difficulty", "")
    else:
        labels = json.loads(entry["labels"]) if isinstance(entry["labels"], str) else entry["labels"]
        held = _unpacked(entry["test"])
        found = json.loads(held["input_output"]) if isinstance(held, dict) else json.loads(held)
        pairs = list(zip(found["inputs"], found["outputs"], strict=True))
        prompt, name, task_id, group = (
            entry["content"],
            found.get("fn_name") or "",
            labels["task_id"],
            labels["difficulty"],
        )
    if not pairs:
        raise ValueError("the task has no test")
    tests = tuple(_method(name, *pair) if name else TestCase(stdin=pair[0], expected_stdout=pair[1]) for pair in pairs)
    given = IMPORTS if name else ""
    return Task(task_id, prompt, "Solution" if name else "", tests, group=group, given=given)


def _method(name: str, given: str, expected: str) -> TestCase:
    """One call of a method of a new `Solution`; arguments and answer stand one JSON value a line."""
    arguments = ", ".join(repr(json.loads(line)) for line in given.split("\n") if line.strip())
    if re.fullmatch(r"\w+", name) is None:
        raise ValueError(f"{name!r} is no name of a method")
    return TestCase(
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
