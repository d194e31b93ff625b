"""Reads a canonical text back into a value. The text may be hostile: its program may know how it is read.

The reader evaluates nothing, takes names from a fixed table and limits the depth. A value is never much larger than
its text and takes hardly longer to make: each constructor takes exactly what `writing.py` writes for it.
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
"""The limit of members of a set, or keys of a dict, with the same hash. Ordinary ones have two or three; to make a set
of thousands takes quadratic time."""
_LARGEST_FRACTION = 60_000
"""The limit of bits of a numerator or denominator, because reducing a fraction takes quadratic time."""


class Unreadable(ValueError):
    """The error of a text that `canonical` never writes."""


@dataclass(frozen=True, slots=True)
class Opaque:
    """A value that cannot leave its cell. It equals nothing, not even itself."""

    name: str

    def __eq__(self, other: object) -> bool:
        return False

    def __hash__(self) -> int:
        return hash(self.name)


def _hashed(items: list[Any]) -> list[Any]:
    """Returns items that may be put into a set. Raises ValueError when too many have the same hash."""
    if len(items) > _MOST_ALIKE and Counter(map(hash, items)).most_common(1)[0][1] > _MOST_ALIKE:
        raise ValueError("too many items with the same hash")
    return items


def _fraction(top: Any, bottom: Any) -> Fraction:
    if max(_checked(int, top).bit_length(), _checked(int, bottom).bit_length()) > _LARGEST_FRACTION:
        raise ValueError("too large a fraction")
    return Fraction(top, bottom)


def _checked(kind: type, value: Any) -> Any:
    """Returns a value of exactly this type. Raises ValueError on another one."""
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
_CONSTRUCTORS: dict[str, tuple[Callable[..., Any], tuple[type, ...]]] = {
    # name: (constructor, the types of its arguments)
    "set": (set, ()),
    "frozenset": (lambda items: frozenset(_hashed(_checked(list, items))), (list,)),
    "complex": (complex, (float, float)),
    "bytearray": (bytearray, (bytes,)),
    "range": (range, (int, int, int)),
    "Fraction": (_fraction, (int, int)),
    "Decimal": (Decimal, (str,)),
    "timedelta": (datetime.timedelta, (int, int, int)),
    "datetime": (datetime.datetime.fromisoformat, (str,)),
    "date": (datetime.date.fromisoformat, (str,)),
    "time": (datetime.time.fromisoformat, (str,)),
    "array": (arrays.checked_array, (list, str, tuple)),
}


def parse(text: str, resolve: Callable[[str], Any] | None = None) -> Any:
    """Reads the value of a canonical text. An opaque value is read as `Opaque`. Raises `Unreadable` and nothing else.

    resolve: returns the value of a reference that `refer` of `canonical` wrote, and may raise errors of its own. With
    it the value is for work inside a cell, so an array is a numpy array.
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
    """The parser of one text: it is always at one token."""

    def __init__(self, text: str, resolve: Callable[[str], Any] | None) -> None:
        self.source, self.at, self.resolve, self.inside = text, 0, resolve or Opaque, resolve is not None
        self.advance()

    def advance(self) -> None:
        """Reads the next token."""
        match = _TOKEN.match(self.source, self.at)
        if match is None:
            if self.source[self.at :].strip():
                raise Unreadable(f"not a canonical value: {self.source[self.at : self.at + 60]!r}")
            self.kind, self.token = "end", ""
            return
        self.kind, self.token, self.at = str(match.lastgroup), str(match[str(match.lastgroup)]), match.end()

    def expect(self, mark: str) -> None:
        """Passes over a mark. Raises `Unreadable` where another token is."""
        if self.token != mark or self.kind != "mark":
            raise Unreadable(f"expected {mark}")
        self.advance()

    def value(self, depth: int) -> Any:
        """Reads one value."""
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
            return _NAMES[token] if token in _NAMES else self.constructed(token, depth)
        if token == "[":
            return self.items("]", depth)
        if token == "(":
            return tuple(self.items(")", depth))
        if token == "{":
            return self.braces(depth)
        raise Unreadable(f"unexpected {token!r}")

    def constructed(self, name: str, depth: int) -> Any:
        """Reads the arguments of a constructor and calls it."""
        if name not in _CONSTRUCTORS:
            raise Unreadable(f"unknown name {name!r}")
        self.expect("(")
        construct, kinds = _CONSTRUCTORS[name]
        arguments = [_checked(kind, item) for kind, item in zip(kinds, self.items(")", depth), strict=True)]
        return arrays.numpy_array(*arguments) if self.inside and name == "array" else construct(*arguments)

    def items(self, close: str, depth: int) -> list[Any]:
        """Reads values between commas up to the closing mark."""
        items: list[Any] = []
        while self.token != close or self.kind != "mark":
            if items:
                self.expect(",")
                if self.token == close and self.kind == "mark":
                    break
            items.append(self.value(depth + 1))
        self.expect(close)
        return items

    def braces(self, depth: int) -> Any:
        """Reads a set or a dict."""
        if self.token == "}" and self.kind == "mark":
            self.advance()
            return {}
        first = self.value(depth + 1)
        if self.token != ":":
            if self.token != "}":
                self.expect(",")
            return set(_hashed([first, *self.items("}", depth)]))
        keys, values = [first], []
        while True:
            self.expect(":")
            values.append(self.value(depth + 1))
            if self.token == "}":
                break
            self.expect(",")
            keys.append(self.value(depth + 1))
        self.expect("}")
        return dict(zip(_hashed(keys), values, strict=True))


def _number(token: str) -> int | float:
    if "0x" in token:
        return int(token, 16)
    if token.lstrip("-").isdigit():
        return int(token)
    return float(token)
