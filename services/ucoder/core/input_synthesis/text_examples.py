"""Examples that a task's text gives: `>>> f(1)` with its value, or `f(1) == 2`, `f(1) => 2`, `f(1) returns 2`."""

import ast
import itertools
import re
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ucoder.core.extraction import parse

_SAID = re.compile(r"\s*(?:==|=>|->|➞|→|=|#\s*=?>?|(?:should|must|will)\s+(?:return|be|equal)|returns?:?|is)\s*")
LONGEST = 2000
READ = 20_000
"""Characters of a task's text that are read: examples stand near its signature."""
MOST = 100
"""Calls looked at; a text with more is not a task's."""


@dataclass(frozen=True, slots=True)
class TextExample:
    """A call, and what the text says it returns."""

    call: str
    """`f(1, [2])` in Python's own layout."""
    arguments: tuple[object, ...]
    """The positional arguments' values."""
    keywords: tuple[tuple[str, object], ...]
    expected: str | None
    """A literal; None where the text gives none that can be read."""

    @property
    def test(self) -> str:
        """The example as a test."""
        return self.call if self.expected is None else f"assert {self.call} == {self.expected}"


def read_examples(text: str, entry_point: str) -> list[TextExample]:
    """The examples of a task's text whose arguments are literals, each call once."""
    found: dict[str, TextExample] = {}
    text = text[:READ]
    calls = re.finditer(rf"(?<![\w.]){re.escape(entry_point)}\s*\(", text)
    for match in itertools.islice(calls, MOST):
        if re.search(r"\b(?:def|class)\s+$", text[max(0, match.start() - 10) : match.start()]):
            continue
        end = _closing(text, match.end() - 1)
        if end is None:
            continue
        node = _expression(text[match.start() : end])
        example = _example(node, _said(text[end : end + LONGEST])) if isinstance(node, ast.Call) else None
        if example and (example.call not in found or found[example.call].expected is None):
            found[example.call] = example
    return list(found.values())


def calls_in(programs: Sequence[str], entry_point: str) -> Iterator[TextExample]:
    """Calls with literal arguments that the programs themselves make, as some show at their end how they are used."""
    for program in programs:
        tree = parse(program) if f"{entry_point}(" in program else None
        for node in ast.walk(tree) if tree else ():
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == entry_point:
                example = _example(node, None)
                if example:
                    yield example


def _example(node: ast.Call, expected: str | None) -> TextExample | None:
    try:
        arguments = tuple(map(ast.literal_eval, node.args))
        keywords = tuple((one.arg or "", ast.literal_eval(one.value)) for one in node.keywords)
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        return None
    return TextExample(ast.unparse(node), arguments, keywords, expected)


def _said(rest: str) -> str | None:
    """The literal that the text after a call gives as its value: on the next line, or behind a sign or a word."""
    following = re.match(r"[ \t]*\n[ \t]*(?!>>>)(?=\S)", rest)
    after = following or _SAID.match(rest)
    if not after:
        return None
    text = rest[after.end() :].split("\n\n")[0].split(">>>")[0].rstrip().removesuffix('"""').removesuffix("'''")
    first = text.split("\n")[0]
    ends = [len(text), len(first), *(match.start() for match in reversed(list(re.finditer(r"[\s,;.#(]", first))))]
    for end in ends:
        part = text[:end].rstrip(" \n.,;")
        node = _expression(" ".join(part.split()) if "\n" in part else part)
        if node is not None and _is_literal(node):
            return ast.unparse(node)
    return None


def _closing(text: str, start: int) -> int | None:
    """The end of the call whose bracket opens at `start`."""
    for match in itertools.islice(re.finditer(r"\)", text[start : start + LONGEST]), MOST):
        if _expression("f" + text[start : start + match.end()]) is not None:
            return start + match.end()
    return None


def _expression(text: str) -> ast.expr | None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return ast.parse(text.strip(), mode="eval").body
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            return None


def _is_literal(node: ast.expr) -> bool:
    try:
        ast.literal_eval(node)
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        return False
    return True
