"""Reading: a text back into values. The text is hostile: it may come from a program that knows how it will be read.

Nothing is evaluated, names come from a fixed table, depth is bounded, and what is made is never much larger, nor takes
much longer, than the text itself: each maker takes exactly what `writing.py` writes for it.
"""

import datetime
import re
from ast import literal_eval
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import Any

from ucoder.core.values import arrays
from ucoder.core.values.writing import MAX_DEPTH

_MOST_ALIKE = 50
"""Members of one set, or keys of one dict, with the same hash: honest ones have two or three, and a set made of
thousands takes quadratic time."""
_LARGEST_FRACTION = 60_000
"""Bits of a numerator or denominator; reducing a fraction takes quadratic time."""


class Unreadable(ValueError):
    """A text that `canonical` never writes."""


@dataclass(frozen=True, slots=True)
class Opaque:
    """A value that cannot cross the boundary; equal to nothing, not even itself."""

    name: str

    def __eq__(self, other: object) -> bool:
        return False

    def __hash__(self) -> int:
        return hash(self.name)


def _hashed(items: list[Any]) -> list[Any]:
    """Items that may be put into a set; raises ValueError when too many have one hash."""
    if len(items) > _MOST_ALIKE and Counter(map(hash, items)).most_common(1)[0][1] > _MOST_ALIKE:
        raise ValueError("too many items with the same hash")
    return items


def _frozen(items: Any) -> frozenset[Any]:
    return frozenset(_hashed(_is(list, items)))


def _fraction(top: Any, bottom: Any) -> Fraction:
    if max(_is(int, top).bit_length(), _is(int, bottom).bit_length()) > _LARGEST_FRACTION:
        raise ValueError("too large a fraction")
    return Fraction(top, bottom)


def _is(kind: type, value: Any) -> Any:
    if type(value) is not kind:
        raise ValueError(f"not a {kind.__name__}")
    return value


_TOKEN = re.compile(
    r"""\s*(?:(?P<number>-?(?:0x[0-9a-f]+|(?:\d+\.?\d*(?:e[+-]?\d+)?|inf|nan)))(?![\w.])"""
    r"""|(?P<string>b?(?:'(?:[^'\\\n]|\\.)*'|"(?:[^"\\\n]|\\.)*"))"""
    r"""|(?P<opaque><[#@=]?\w*>)|(?P<name>[A-Za-z]\w*)|(?P<mark>[\[\](){},:]))"""
)
_NAMES: dict[str, object] = {
    "None": None, "True": True, "False": False, "Ellipsis": Ellipsis, "NotImplemented": NotImplemented
}  # fmt: skip
_MAKERS: dict[str, tuple[Callable[..., Any], tuple[type, ...]]] = {
    # name: (what makes it, the types of its arguments)
    "set": (set, ()),
    "frozenset": (_frozen, (list,)),
    "complex": (complex, (float, float)),
    "bytearray": (bytearray, (bytes,)),
    "range": (range, (int, int, int)),
    "Fraction": (_fraction, (int, int)),
    "Decimal": (Decimal, (str,)),
    "timedelta": (datetime.timedelta, (int, int, int)),
    "datetime": (datetime.datetime.fromisoformat, (str,)),
    "date": (datetime.date.fromisoformat, (str,)),
    "time": (datetime.time.fromisoformat, (str,)),
    "array": (arrays.described, (list, str, tuple)),
}


def parse(text: str, resolve: Callable[[str], Any] | None = None) -> Any:
    """The value a canonical text stands for; whatever was opaque is `Opaque`. Raises `Unreadable`, never anything else.

    `resolve` gives the value of a reference (`refer` in `canonical`); its errors are its own. With it the value is one
    to work with, inside a cell: an array is numpy's own.
    """
    reader = _Reader(text, resolve)
    try:
        value = reader.value(0)
    except (ValueError, TypeError, ArithmeticError, SyntaxError, RecursionError) as error:
        raise Unreadable(f"not a canonical value: {text[:60]!r}") from error
    if reader.kind != "end":
        raise Unreadable(f"more than one value: {text[:60]!r}")
    return value


class _Reader:
    def __init__(self, text: str, resolve: Callable[[str], Any] | None) -> None:
        self.source, self.at, self.resolve, self.inside = text, 0, resolve or Opaque, resolve is not None
        self.advance()

    def advance(self) -> None:
        found = _TOKEN.match(self.source, self.at)
        if found is None:
            if self.source[self.at :].strip():
                raise Unreadable(f"not a canonical value: {self.source[self.at : self.at + 60]!r}")
            self.kind, self.token = "end", ""
            return
        self.kind, self.token, self.at = str(found.lastgroup), str(found[str(found.lastgroup)]), found.end()

    def take(self, mark: str) -> None:
        if self.token != mark or self.kind != "mark":
            raise Unreadable(f"expected {mark}")
        self.advance()

    def value(self, depth: int) -> Any:
        if depth > MAX_DEPTH + 2:
            raise Unreadable("nested too deep")
        kind, token = self.kind, self.token
        self.advance()
        if kind == "number":
            return _number(token)
        if kind == "string":
            return literal_eval(token)
        if kind == "opaque":
            return self.resolve(token[1:-1])
        if kind == "name":
            return _NAMES[token] if token in _NAMES else self.made(token, depth)
        if token == "[":
            return self.items("]", depth)
        if token == "(":
            return tuple(self.items(")", depth))
        if token == "{":
            return self.braces(depth)
        raise Unreadable(f"unexpected {token!r}")

    def made(self, name: str, depth: int) -> Any:
        if name not in _MAKERS:
            raise Unreadable(f"unknown name {name!r}")
        self.take("(")
        make, kinds = _MAKERS[name]
        arguments = [_is(kind, one) for kind, one in zip(kinds, self.items(")", depth), strict=True)]
        return arrays.real(*arguments) if self.inside and name == "array" else make(*arguments)

    def items(self, close: str, depth: int) -> list[Any]:
        found: list[Any] = []
        while self.token != close or self.kind != "mark":
            if found:
                self.take(",")
                if self.token == close and self.kind == "mark":
                    break
            found.append(self.value(depth + 1))
        self.take(close)
        return found

    def braces(self, depth: int) -> Any:
        if self.token == "}" and self.kind == "mark":
            self.advance()
            return {}
        first = self.value(depth + 1)
        if self.token != ":":
            if self.token != "}":
                self.take(",")
            return set(_hashed([first, *self.items("}", depth)]))
        keys, values = [first], []
        while True:
            self.take(":")
            values.append(self.value(depth + 1))
            if self.token == "}":
                break
            self.take(",")
            keys.append(self.value(depth + 1))
        self.take("}")
        return dict(zip(_hashed(keys), values, strict=True))


def _number(token: str) -> int | float:
    if "0x" in token:
        return int(token, 16)
    if token.lstrip("-").isdigit():
        return int(token)
    return float(token)
