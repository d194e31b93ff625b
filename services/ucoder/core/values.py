"""Values as text: the only form in which anything a program made leaves its cell.

`canonical` writes, `parse` reads. Equal values have equal texts (sets and dicts are sorted by their items' texts), so
texts can be compared, hashed and stored; and a text can be read back without running anything. The rules:

- bool, int, float, str, bytes, None, list, tuple, set, frozenset, dict: as Python writes them; ints beyond 4,300
  digits in hexadecimal. `nan`, `inf`, `-inf` and `-0.0` stay visible.
- complex, bytearray, range, Fraction, Decimal, and the types of datetime: `name(arguments)`.
- A subclass of one of these is what it holds (a namedtuple is a tuple, a Counter a dict): its own methods, equality
  among them, are never asked.
- Anything else is opaque: `<TypeName>`. A value that holds itself has `<cycle>` there, one nested too deep `<deep>`.

This file also runs inside the cell, next to the program, so it imports only the standard library.
"""

import datetime
import re
from ast import literal_eval
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import Any

MAX_DEPTH = 80
MAX_DIGITS = 4300
_SIMPLE = frozenset({int, bool, str, type(None)})
_DATES = (datetime.datetime, datetime.date, datetime.time)


class TooLarge(Exception):
    """The text of a value would be longer than the limit."""


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


def canonical(value: object, limit: int = 1 << 20, refer: Callable[[Any], str] | None = None) -> str:
    """The text of any value, at most about `limit` characters; raises `TooLarge` beyond.

    `refer` names opaque values, so that a later step can speak of them: its text, e.g. `<#3>`, takes their place.
    """
    kind = type(value)
    if kind in _SIMPLE and kind is not int and kind is not str:
        return repr(value)
    writer = _Writer(limit, refer)
    return writer.text(value, 0)


class _Writer:
    def __init__(self, limit: int, refer: Callable[[Any], str] | None) -> None:
        self.left, self.refer = limit, refer
        self.open: set[int] = set()

    def spend(self, text: str) -> str:
        self.left -= len(text)
        if self.left < 0:
            raise TooLarge
        return text

    def text(self, value: Any, depth: int) -> str:
        kind = type(value)
        if kind is bool or value is None or value is Ellipsis or value is NotImplemented:
            return self.spend(repr(value))
        if issubclass(kind, bool | int):
            return self.spend(_int_text(value))
        if issubclass(kind, str):
            if str.__len__(value) > self.left:
                raise TooLarge
            return self.spend(str.__repr__(value))
        if issubclass(kind, float):
            return self.spend(float.__repr__(value))
        write = next((_WRITERS[base] for base in kind.__mro__ if base in _WRITERS), None)
        if write is None:
            return self.spend(self.refer(value) if self.refer else f"<{_name(kind)}>")
        if depth >= MAX_DEPTH:
            return self.spend("<deep>")
        if id(value) in self.open:
            return self.spend("<cycle>")
        self.open.add(id(value))
        try:
            return write(self, value, depth + 1)
        finally:
            self.open.discard(id(value))

    def items(self, iterable: Any, depth: int) -> list[str]:
        found = []
        for item in iterable:
            found.append(self.text(item, depth))
            self.spend(", ")
        return found


def _int_text(value: int) -> str:
    if int.bit_length(value) > MAX_DIGITS * 3:
        return hex(int.__index__(value))
    return int.__repr__(value)


def _name(kind: type) -> str:
    return re.sub(r"\W", "", type.__getattribute__(kind, "__name__"))[:60] or "object"


def _tuple_text(writer: _Writer, value: Any, depth: int) -> str:
    items = writer.items(tuple.__iter__(value), depth)
    return f"({items[0]},)" if len(items) == 1 else f"({', '.join(items)})"


def _set_text(writer: _Writer, value: Any, depth: int) -> str:
    items = sorted(writer.items(set.__iter__(value), depth))
    return f"{{{', '.join(items)}}}" if items else "set()"


def _frozenset_text(writer: _Writer, value: Any, depth: int) -> str:
    return f"frozenset([{', '.join(sorted(writer.items(frozenset.__iter__(value), depth)))}])"


def _dict_text(writer: _Writer, value: Any, depth: int) -> str:
    pairs = []
    for key, item in dict.items(value):
        pairs.append(f"{writer.text(key, depth)}: {writer.text(item, depth)}")
        writer.spend("...:")
    return f"{{{', '.join(sorted(pairs))}}}"


def _complex_text(writer: _Writer, value: Any, depth: int) -> str:
    real, imag = complex.__complex__(value).real, complex.__complex__(value).imag
    return writer.spend(f"complex({real!r}, {imag!r})")


def _fraction_text(writer: _Writer, value: Any, depth: int) -> str:
    top, bottom = object.__getattribute__(value, "_numerator"), object.__getattribute__(value, "_denominator")
    return f"Fraction({writer.text(top, depth)}, {writer.text(bottom, depth)})"


def _timedelta_text(writer: _Writer, value: Any, depth: int) -> str:
    return writer.spend(f"timedelta({value.days}, {value.seconds}, {value.microseconds})")


def _iso_text(writer: _Writer, value: Any, depth: int) -> str:
    base = next(base for base in type(value).__mro__ if base in _DATES)
    return writer.spend(f"{base.__name__}({base.isoformat(value)!r})")


_WRITERS: dict[type, Callable[[_Writer, Any, int], str]] = {
    list: lambda writer, value, depth: f"[{', '.join(writer.items(list.__iter__(value), depth))}]",
    tuple: _tuple_text,
    set: _set_text,
    frozenset: _frozenset_text,
    dict: _dict_text,
    bytes: lambda writer, value, depth: writer.spend(bytes.__repr__(value)),
    bytearray: lambda writer, value, depth: writer.spend(f"bytearray({bytes(value)!r})"),
    complex: _complex_text,
    range: lambda writer, value, depth: writer.spend(f"range({value.start}, {value.stop}, {value.step})"),
    Fraction: _fraction_text,
    Decimal: lambda writer, value, depth: writer.spend(f"Decimal({Decimal.__str__(value)!r})"),
    datetime.timedelta: _timedelta_text,
    **dict.fromkeys(_DATES, _iso_text),
}

_TOKEN = re.compile(
    r"""\s*(?:(?P<number>-?(?:0x[0-9a-f]+|(?:\d+\.?\d*(?:e[+-]?\d+)?|inf|nan)))(?![\w.])"""
    r"""|(?P<string>b?(?:'(?:[^'\\\n]|\\.)*'|"(?:[^"\\\n]|\\.)*"))"""
    r"""|(?P<opaque><[#@=]?\w*>)|(?P<name>[A-Za-z]\w*)|(?P<mark>[\[\](){},:]))"""
)
_NAMES: dict[str, object] = {
    "None": None, "True": True, "False": False, "Ellipsis": Ellipsis, "NotImplemented": NotImplemented
}  # fmt: skip
_MAKERS: dict[str, Callable[..., Any]] = {
    "set": set,
    "frozenset": frozenset,
    "complex": complex,
    "bytearray": bytearray,
    "range": range,
    "Fraction": Fraction,
    "Decimal": Decimal,
    "timedelta": datetime.timedelta,
    "datetime": datetime.datetime.fromisoformat,
    "date": datetime.date.fromisoformat,
    "time": datetime.time.fromisoformat,
}


def parse(text: str, resolve: Callable[[str], Any] | None = None) -> Any:
    """The value a canonical text stands for; whatever was opaque is `Opaque`. Raises `Unreadable`, never anything else.

    `resolve` gives the value of a reference (`refer` above); its errors are its own.

    The text is hostile: nothing is evaluated, names come from a fixed table, depth is bounded, time is linear.
    """
    reader = _Reader(text, resolve or Opaque)
    try:
        value = reader.value(0)
    except (ValueError, TypeError, ArithmeticError, SyntaxError, RecursionError) as error:
        raise Unreadable(f"not a canonical value: {text[:60]!r}") from error
    if reader.kind != "end":
        raise Unreadable(f"more than one value: {text[:60]!r}")
    return value


class _Reader:
    def __init__(self, text: str, resolve: Callable[[str], Any]) -> None:
        self.source, self.at, self.resolve = text, 0, resolve
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
            if token in _NAMES:
                return _NAMES[token]
            self.take("(")
            return _MAKERS[token](*self.items(")", depth)) if token in _MAKERS else self.unknown(token)
        if token == "[":
            return self.items("]", depth)
        if token == "(":
            return tuple(self.items(")", depth))
        if token == "{":
            return self.braces(depth)
        raise Unreadable(f"unexpected {token!r}")

    def unknown(self, token: str) -> Any:
        raise Unreadable(f"unknown name {token!r}")

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
            self.step_or_close()
            return {first, *self.items("}", depth)}
        pairs: dict[Any, Any] = {}
        while True:
            self.take(":")
            pairs[first] = self.value(depth + 1)
            if self.token == "}":
                break
            self.take(",")
            first = self.value(depth + 1)
        self.take("}")
        return pairs

    def step_or_close(self) -> None:
        if self.token != "}":
            self.take(",")


def _number(token: str) -> int | float:
    if "0x" in token:
        return int(token, 16)
    if token.lstrip("-").isdigit():
        return int(token)
    return float(token)
