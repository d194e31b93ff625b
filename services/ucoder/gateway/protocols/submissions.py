"""A completion that SandboxFusion's or ScaleBox's clients submit: its program, limits and options, and its cases."""

import json
import re
from dataclasses import dataclass, field
from typing import Any

from ucoder.errors import Reject
from ucoder.gateway.protocols.fusion_runs import LANGUAGES, SECONDS, UNLIMITED_MB, FieldReader, Json
from ucoder.v1 import sandbox_pb2

_FENCE = re.compile(r"^[ \t]*(```+|~~~+)[ \t]*([\w+#-]*)[^\n]*\n(.*?)(^[ \t]*\1[ \t]*$|\Z)", re.DOTALL | re.MULTILINE)
_NAMES = {
    "py": "python", "python3": "python", "js": "nodejs", "javascript": "nodejs", "ts": "typescript", "c++": "cpp",
    "sh": "bash", "shell": "bash", "c#": "csharp", "golang": "go",
}  # fmt: skip
TOTAL_SECONDS = 300.0
SOLUTION_HEADER = (
    "from typing import *\nfrom collections import *\nfrom heapq import *\nfrom bisect import *\nfrom math import *\n"
    "from itertools import *\nfrom functools import *\nimport string, re, math, heapq, bisect, itertools, functools,"
    " collections\n"
)
"""What a class named Solution may use without importing it, as on the site that such tasks come from."""


@dataclass(frozen=True, slots=True)
class StdioCase:
    """One test of a script."""

    stdin: str
    stdout: str
    info: Json = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class CallCase:
    """One test of a function: its name, its arguments, and the value that it should return."""

    name: str
    arguments: list[Any]
    expected: Any
    info: Json = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Submission:
    """A completion with the options that it is judged by."""

    id: int | str
    completion: str
    language: str
    compile_seconds: float
    run_seconds: float
    memory_mb: int
    extract_logic: str
    extra: Json

    @classmethod
    def read(
        cls, identifier: int | str, completion: str, config: FieldReader, *, language_required: bool = True
    ) -> "Submission":
        """Reads a submission from its config. Raises InvalidBody, or Reject without a language."""
        language = config.get("language", str, "" if language_required else "python")
        language = {"javascript": "nodejs"}.get(language, language)
        run_seconds = float(config.get("run_timeout", (int, float), SECONDS))
        compile_seconds = float(config.get("compile_timeout", (int, float), SECONDS))
        memory_kb, memory_mb = config.get("mem_limit", int, 0), config.get("memory_limit_mb", int, 0)
        extract = config.get("custom_extract_logic", str, "")
        extra = config.get("extra", dict, {})
        if language and language not in LANGUAGES:
            config.complain("language", "enum", f"Input should be one of {', '.join(LANGUAGES)}")
        for name, seconds in (("run_timeout", run_seconds), ("compile_timeout", compile_seconds)):
            if not 0 < seconds <= 3600:
                config.complain(name, "range", "Input should be greater than 0 and at most 3600")
        config.check()
        if not language:
            raise Reject("config.language: required, and missing.")
        memory = memory_mb or -(-memory_kb // 1024)
        return cls(
            identifier,
            completion,
            language,
            compile_seconds,
            run_seconds,
            min(max(memory, 16), 65536) if memory > 0 else UNLIMITED_MB,
            extract,
            extra,
        )

    @property
    def all_cases(self) -> bool:
        """Tells whether the cases after the first failure are wanted too."""
        return bool(self.extra.get("run_all_cases"))

    @property
    def total_seconds(self) -> float:
        """The time for all cases together."""
        given = self.extra.get("total_timeout")
        usable = isinstance(given, int | float) and not isinstance(given, bool) and given > 0
        return min(float(given), 3600.0) if usable else TOTAL_SECONDS  # type: ignore[arg-type]

    def limits(self) -> sandbox_pb2.RunLimits:
        """Returns the limits of one case."""
        return sandbox_pb2.RunLimits(
            cpu_seconds=self.run_seconds,
            wall_seconds=self.run_seconds,
            memory_mb=self.memory_mb,
            compile_seconds=self.compile_seconds,
        )

    def shown(self, text: str) -> str:
        """Returns a text of a case as the answer repeats it: cut, unless the request wants it whole."""
        if self.extra.get("return_full_case") or len(text) <= 1000:
            return text
        return text[:1000] + "..."

    @staticmethod
    def stdio_case(value: Any) -> StdioCase:
        """Reads `{"input": {"stdin"}, "output": {"stdout"}}`. Raises Reject for any other form."""
        try:
            stdin, stdout = value["input"]["stdin"], value["output"]["stdout"]
        except (TypeError, KeyError):
            raise Reject('test: expected {"input": {"stdin": ...}, "output": {"stdout": ...}}.') from None
        if not isinstance(stdin, str) or not isinstance(stdout, str):
            raise Reject("test: stdin and stdout are texts.")
        return StdioCase(stdin, stdout)


def fenced_program(completion: str, language: str) -> tuple[str, str]:
    """Returns the program in a completion, and how it was found: fenced, incomplete_fenced, heuristic or empty.

    The first block in the language counts, else the first block; a finished fence before an unfinished one.
    """
    found: dict[str, list[tuple[str, str]]] = {"fenced": [], "incomplete_fenced": []}
    for match in _FENCE.finditer(completion):
        tag = match[2].lower()
        found["fenced" if match[4] else "incomplete_fenced"].append((_NAMES.get(tag, tag), match[3]))
    for kind, blocks in found.items():
        if blocks:
            own = [text for tag, text in blocks if tag == language.lower()]
            return (own or [blocks[0][1]])[0], kind
    return (completion, "heuristic") if completion.strip() else ("", "empty")


def batch_cases(cases: Any) -> tuple[str, list[StdioCase] | list[CallCase] | list[str]]:
    """Reads ScaleBox's `test_cases`: the type, and its cases. Raises Reject for a wrong form or without any case."""
    if not isinstance(cases, dict):
        raise Reject("config.provided_data.test_cases: expected an object with type, input, output, fn_name.")
    kind = cases.get("type") or ("function_call" if cases.get("fn_name") else "stdin_stdout")
    if kind == "assert":
        tests = cases.get("tests")
        if not isinstance(tests, str) or not tests.strip():
            raise Reject("config.provided_data.test_cases.tests: expected a text with at least one assert.")
        return kind, [tests]
    inputs, outputs = cases.get("input", cases.get("inputs")), cases.get("output", cases.get("outputs"))
    if not isinstance(inputs, list) or not isinstance(outputs, list) or len(inputs) != len(outputs) or not inputs:
        raise Reject(
            "config.provided_data.test_cases: input and output are lists of one length, with at least one case."
        )
    if kind == "stdin_stdout":
        return kind, [StdioCase(_text(one), _text(other)) for one, other in zip(inputs, outputs, strict=True)]
    if kind != "function_call":
        raise Reject(
            f"config.provided_data.test_cases.type: {kind!r:.40}; there are stdin_stdout, function_call, assert."
        )
    name = cases.get("fn_name")
    if not isinstance(name, str) or not name.isidentifier():
        raise Reject("config.provided_data.test_cases.fn_name: the name of the function.")
    return kind, [
        _call_case(name, one, other, bool(cases.get("json_input"))) for one, other in zip(inputs, outputs, strict=True)
    ]


def _call_case(name: str, given: Any, expected: Any, as_json: bool) -> CallCase:
    info = {"type": "function_call", "fn_name": name, "input": given, "output": expected}
    arguments = given
    if as_json and isinstance(given, str):
        try:
            arguments = [json.loads(line) for line in given.split("\n")]
        except (ValueError, RecursionError):
            raise Reject("config.provided_data.test_cases.input: a line is not JSON.") from None
    if not isinstance(arguments, list):
        arguments = [arguments]
    if isinstance(expected, list) and len(expected) == 1:
        expected = expected[0]
    return CallCase(name, arguments, expected, info)


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)
