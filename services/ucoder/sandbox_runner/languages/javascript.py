"""JavaScript, run by node.

A test is a call, or a file of `assert.deepEqual(call, literal)` and similar assertions, as MultiPL-E writes them. The
calls of a file run inside, together; their literals stay outside. Every program has a process of its own. Values are
compared as Python's are, which differs from node where an assertion is about types alone: `1` is not `"1"` even for
`deepEqual`, `null` and `undefined` are one value, and NaN equals nothing.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ucoder.core.fork_safety import ForkSafety
from ucoder.core.test_plans import BrokenPlan, CallPlan, Plan, Test
from ucoder.sandbox_runner.isolation.boundary import NODE

_ASSERTION = re.compile(r"assert\.(?:deepEqual|deepStrictEqual|equal|strictEqual)\(")
_ALIAS = re.compile(r"\b(?:let|const|var)\s+(\w+)\s*=\s*(\w+)\s*;")
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "b": "\b", "f": "\f", "v": "\v", "0": "\0"}
_TOKEN = re.compile(
    r"""\s*(?:(?P<number>-?\d+\.?\d*(?:e[+-]?\d+)?)|(?P<word>true|false|null|undefined|NaN|Infinity|-Infinity)"""
    r"""|(?P<string>"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')|(?P<key>[A-Za-z_$][\w$]*)|(?P<mark>[\[\]{}:,]))"""
)
_WORDS = {
    "true": True,
    "false": False,
    "null": None,
    "undefined": None,
    "NaN": float("nan"),
    "Infinity": float("inf"),
    "-Infinity": float("-inf"),
}


@dataclass(frozen=True, slots=True)
class JavaScript:
    """The adapter of programs for node."""

    name: str = "javascript"
    interpreter: tuple[str, ...] = (NODE, "--stack-size=900", "--no-warnings", "{guest}/javascript_runner.js")

    def read_plan(self, test: Test, entry_point: str, compat: bool) -> Plan:
        """Returns all assertions of a file as one comparison of lists: `[f(1), f(2)] == [literal, literal]`."""
        if test.stdin is not None or compat:
            return BrokenPlan("JavaScript programs are tested by calls and assertions")
        code = test.code.strip().rstrip(";")
        aliases = dict(_ALIAS.findall(code))
        calls, expected = [], []
        for assertion in _ASSERTION.finditer(code):
            parts = _arguments(code, assertion.end())
            try:
                calls.append(parts[0])
                expected.append(_literal(parts[1]))
            except (IndexError, ValueError, KeyError, RecursionError):
                at = assertion.start()
                return BrokenPlan(f"not an assertion about a literal: {code[at : at + 80]}")
        if calls:
            constants = "".join(f"const {alias} = {name}; " for alias, name in aliases.items())
            return CallPlan(f"{constants}[{', '.join(calls)}]", "==", expected, test.tolerance)
        if "assert" in code or ";" in code:
            return BrokenPlan("not a call, and no assertion that can be read")
        return CallPlan(code)

    def fork_safety(self, program: str, absent: Callable[[str], bool]) -> ForkSafety:
        """Returns that no program may share a fork."""
        return ForkSafety(may_share=False, stateless=False, reason="JavaScript has a process of its own")


def _arguments(code: str, start: int) -> list[str]:
    """Returns the arguments of a call whose parenthesis opens just before `start`; none if it is never closed."""
    parts: list[str] = []
    depth, argument, at = 0, start, start
    while at < len(code):
        character = code[at]
        if character in "\"'`":
            at += 1
            while at < len(code) and code[at] != character:
                at += 2 if code[at] == "\\" else 1
        elif character in "([{":
            depth += 1
        elif character in ")]}":
            if depth == 0:
                return [*parts, code[argument:at].strip()]
            depth -= 1
        elif character == "," and depth == 0:
            parts.append(code[argument:at].strip())
            argument = at + 1
        at += 1
    return []


def _literal(text: str) -> Any:
    """Returns the value of a JavaScript literal; raises ValueError for anything else."""
    value, at = _value(text, 0)
    if text[at:].strip():
        raise ValueError("not a literal")
    return value


def _token(text: str, at: int) -> tuple[str, str, int]:
    match = _TOKEN.match(text, at)
    if match is None:
        raise ValueError("not a literal")
    kind = str(match.lastgroup)
    return kind, match[kind], match.end()


def _value(text: str, at: int) -> tuple[Any, int]:
    kind, token, at = _token(text, at)
    if kind == "number":
        value = float(token)  # as in JavaScript: beyond 2**53 an integer literal is rounded
        return (int(value) if value.is_integer() else value), at
    if kind == "word":
        return _WORDS[token], at
    if kind == "string":
        return re.sub(r"\\(u[0-9a-fA-F]{4}|x[0-9a-fA-F]{2}|.)", _unescaped, token[1:-1], flags=re.DOTALL), at
    if token == "[":
        return _sequence(text, at)
    if token == "{":
        return _mapping(text, at)
    raise ValueError("not a literal")


def _unescaped(match: re.Match[str]) -> str:
    code = match[1]
    return chr(int(code[1:], 16)) if len(code) > 1 else _ESCAPES.get(code, code)


def _sequence(text: str, at: int) -> tuple[list[Any], int]:
    items: list[Any] = []
    while True:
        kind, token, after = _token(text, at)
        if kind == "mark" and token == "]":
            return items, after
        if kind == "mark" and token == "," and items:
            at = after
            continue
        item, at = _value(text, at)
        items.append(item)


def _mapping(text: str, at: int) -> tuple[dict[str, Any], int]:
    pairs: dict[str, Any] = {}
    while True:
        kind, token, after = _token(text, at)
        if token == "}":
            return pairs, after
        if token == "," and pairs:
            at = after
            continue
        key = str(_value(text, at)[0]) if kind in ("string", "number") else token
        _, colon, at = _token(text, after)
        if colon != ":":
            raise ValueError("not an object")
        pairs[key], at = _value(text, at)
