"""Reads the examples in a task's text: `>>> f(1)` with its value, or `f(1) == 2`, `f(1) => 2`, `f(1) returns 2`."""

import ast
import itertools
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ucoder.core.extraction import calls_name, parse, parse_statement

_EQUALS = re.compile(r"\s*(?:==|=>|->|➞|→|=|#\s*=?>?|(?:should|must|will)\s+(?:return|be|equal)|returns?:?|is)\s*")
LONGEST = 2000
MOST_CHARACTERS = 20_000
"""The number of characters of a task's text that are read, because examples are near its signature."""
MOST_CALLS = 100
"""The limit of calls that are looked at. A text with more calls is no task."""


@dataclass(frozen=True, slots=True)
class TextExample:
    """A call, and its result according to the text."""

    call: str
    """The call in Python's own layout, such as `f(1, [2])`."""
    arguments: tuple[object, ...]
    """The positional arguments' values."""
    keywords: tuple[tuple[str, object], ...]
    expected: str | None
    """The result as a literal. None where the text gives none that can be read."""

    @property
    def test(self) -> str:
        """The example as a test."""
        return self.call if self.expected is None else f"assert {self.call} == {self.expected}"


def read_examples(text: str, entry_point: str) -> list[TextExample]:
    """Returns the examples of a task's text whose arguments are literals, each call once."""
    examples: dict[str, TextExample] = {}
    text = text[:MOST_CHARACTERS]
    calls = re.finditer(rf"(?<![\w.]){re.escape(entry_point)}\s*\(", text)
    for match in itertools.islice(calls, MOST_CALLS):
        if re.search(r"\b(?:def|class)\s+$", text[max(0, match.start() - 10) : match.start()]):
            continue
        node, end = _call_at(text, match.start(), match.end() - 1)
        example = _example(node, _stated_value(text[end : end + LONGEST])) if isinstance(node, ast.Call) else None
        if example and (example.call not in examples or examples[example.call].expected is None):
            examples[example.call] = example
    return list(examples.values())


def calls_in(programs: Sequence[str], entry_point: str) -> Iterator[TextExample]:
    """Yields the calls with literal arguments that the programs make: some show at their end how they are used."""
    trees = (parse(program) for program in programs if f"{entry_point}(" in program)
    nodes = (node for tree in trees if tree for node in ast.walk(tree))
    yield from filter(None, (_example(node, None) for node in nodes if calls_name(node, entry_point)))


def literal_values(nodes: Sequence[ast.expr]) -> tuple[object, ...] | None:
    """Returns the values of literals, or None where one of the nodes is no literal."""
    try:
        return tuple(map(ast.literal_eval, nodes))
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        return None


def _example(node: ast.Call, expected: str | None) -> TextExample | None:
    arguments = literal_values(node.args)
    values = literal_values([keyword.value for keyword in node.keywords])
    if arguments is None or values is None:
        return None
    keywords = zip((keyword.arg or "" for keyword in node.keywords), values, strict=True)
    return TextExample(ast.unparse(node), arguments, tuple(keywords), expected)


def _stated_value(rest: str) -> str | None:
    """Returns the literal that follows a call as its value: on the next line, or after a sign or a word, else None."""
    following = re.match(r"[ \t]*\n[ \t]*(?!>>>)(?=\S)", rest)
    after = following or _EQUALS.match(rest)
    if not after:
        return None
    text = rest[after.end() :].split("\n\n")[0].split(">>>")[0].rstrip().removesuffix('"""').removesuffix("'''")
    first = text.split("\n")[0]
    ends = [len(text), len(first), *(match.start() for match in reversed(list(re.finditer(r"[\s,;.#(]", first))))]
    for end in ends:
        part = text[:end].rstrip(" \n.,;")
        node = _expression(" ".join(part.split()) if "\n" in part else part)
        if node is not None and literal_values([node]) is not None:
            return ast.unparse(node)
    return None


def _call_at(text: str, start: int, bracket: int) -> tuple[ast.expr | None, int]:
    """Returns the call at `start`, which opens its bracket at `bracket`, and its end. None where it does not close."""
    for match in itertools.islice(re.finditer(r"\)", text[bracket : bracket + LONGEST]), MOST_CALLS):
        end = bracket + match.end()
        if (node := _expression(text[start:end])) is not None:
            return node, end
    return None, bracket


def _expression(text: str) -> ast.expr | None:
    statement = parse_statement(text.strip())
    return statement.value if isinstance(statement, ast.Expr) else None
