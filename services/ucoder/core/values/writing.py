"""Writes the canonical text of any value without calling the value's own methods."""

import datetime
import re
from collections.abc import Callable
from decimal import Decimal
from fractions import Fraction
from typing import Any

from ucoder.core.values import arrays

MAX_DEPTH = 80
MAX_DIGITS = 4300
"""The limit of decimal digits of an int. Longer ones are written in hexadecimal, which takes linear time."""
_SIMPLE = frozenset({bool, type(None)})
_NO_WORD = re.compile(r"\W")
_EXACT = frozenset({
    bool, type(None), type(Ellipsis), type(NotImplemented), int, float, str, bytes, bytearray, complex, list, tuple,
    set, frozenset, dict, range, Fraction, Decimal, datetime.timedelta,
})  # fmt: skip
"""Types of values whose text says all about them."""
_LIBRARIES = frozenset({"datetime", "numpy"})
_DATES = (datetime.datetime, datetime.date, datetime.time)


class TooLarge(Exception):
    """The error of a value whose text would be longer than the limit."""


def canonical(
    value: object, limit: int = 1 << 20, refer: Callable[[Any], str] | None = None, ordered: bool = False
) -> str:
    """Returns the canonical text of any value. Raises `TooLarge` beyond `limit` characters.

    refer: returns a reference such as `<#3>`, which stands for an opaque value, so that a later step can name it.
    ordered: keeps the items of dicts in their order, for a step that goes on working with the value.
    """
    if type(value) in _SIMPLE:
        return repr(value)
    text = _Writer(limit, refer, ordered).text(value, 0)
    if len(text) > limit:  # brackets, which the writer does not count
        raise TooLarge
    return text


def written(value: object, limit: int) -> tuple[str, bool]:
    """Returns the canonical text of a value, and whether the text says all about it: no part of it is an object, or of
    a class derived from a built-in one.
    """
    if type(value) in _SIMPLE:
        return repr(value), True
    writer = _Writer(limit, None, False)
    text = writer.text(value, 0)
    if len(text) > limit:
        raise TooLarge
    return text, writer.exact


class _Writer:
    """The writer of one value: it counts the characters that are left, and the containers that are open."""

    def __init__(self, limit: int, refer: Callable[[Any], str] | None, ordered: bool) -> None:
        self.left, self.refer, self.ordered = limit, refer, ordered
        self.open: set[int] = set()
        self.exact = True

    def spend(self, text: str) -> str:
        """Subtracts a text's length and returns the text. Raises `TooLarge` when no characters are left."""
        self.left -= len(text)
        if self.left < 0:
            raise TooLarge
        return text

    def text(self, value: Any, depth: int) -> str:
        """Returns the text of one value."""
        kind = type(value)
        if kind not in _EXACT and kind.__module__ not in _LIBRARIES:
            self.exact = False
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
            return self.other(value, kind, depth)
        if depth >= MAX_DEPTH:
            self.exact = False
            return self.spend("<deep>")
        if id(value) in self.open:
            self.exact = False
            return self.spend("<cycle>")
        self.open.add(id(value))
        try:
            return write(self, value, depth + 1)
        finally:
            self.open.discard(id(value))

    def other(self, value: Any, kind: type, depth: int) -> str:
        """Returns the text of a numpy value, or of an opaque one."""
        plain = arrays.plain_value(value, kind)
        if isinstance(plain, arrays.Array):
            if plain.size > self.left:
                raise TooLarge
            items = self.items(plain.items(), depth + 1)
            return self.spend(f"array([{', '.join(items)}], {plain.kind!r}, {plain.shape!r})")
        if plain is not None:
            return self.text(plain[0], depth)
        self.exact = False
        name = _NO_WORD.sub("", type.__getattribute__(kind, "__name__"))[:60] or "object"
        return self.spend(self.refer(value) if self.refer else f"<{name}>")

    def items(self, iterable: Any, depth: int) -> list[str]:
        """Returns the texts of the items and counts their separators."""
        texts = []
        for item in iterable:
            texts.append(self.text(item, depth))
            self.spend(", ")
        return texts


def _int_text(value: int) -> str:
    if int.bit_length(value) > MAX_DIGITS * 3:
        return hex(int.__index__(value))
    return int.__repr__(value)


def _tuple_text(writer: _Writer, value: Any, depth: int) -> str:
    items = writer.items(tuple.__iter__(value), depth)
    return f"({items[0]},)" if len(items) == 1 else f"({', '.join(items)})"


def _set_text(writer: _Writer, value: Any, depth: int) -> str:
    items = sorted(writer.items(set.__iter__(value), depth))
    return f"{{{', '.join(items)}}}" if items else "set()"


def _dict_text(writer: _Writer, value: Any, depth: int) -> str:
    pairs = []
    for key, item in dict.items(value):
        pairs.append(f"{writer.text(key, depth)}: {writer.text(item, depth)}")
        writer.spend("...:")
    return f"{{{', '.join(pairs if writer.ordered else sorted(pairs))}}}"


def _complex_text(writer: _Writer, value: Any, depth: int) -> str:
    real, imag = complex.__complex__(value).real, complex.__complex__(value).imag
    return writer.spend(f"complex({real!r}, {imag!r})")


def _fraction_text(writer: _Writer, value: Any, depth: int) -> str:
    top, bottom = object.__getattribute__(value, "_numerator"), object.__getattribute__(value, "_denominator")
    return f"Fraction({writer.text(top, depth)}, {writer.text(bottom, depth)})"


def _iso_text(writer: _Writer, value: Any, depth: int) -> str:
    base = next(base for base in type(value).__mro__ if base in _DATES)
    return writer.spend(f"{base.__name__}({base.isoformat(value)!r})")


_WRITERS: dict[type, Callable[[_Writer, Any, int], str]] = {
    list: lambda writer, value, depth: f"[{', '.join(writer.items(list.__iter__(value), depth))}]",
    tuple: _tuple_text,
    set: _set_text,
    frozenset: lambda writer, value, depth: (
        f"frozenset([{', '.join(sorted(writer.items(frozenset.__iter__(value), depth)))}])"
    ),
    dict: _dict_text,
    bytes: lambda writer, value, depth: writer.spend(bytes.__repr__(value)),
    bytearray: lambda writer, value, depth: writer.spend(f"bytearray({bytes(value)!r})"),
    complex: _complex_text,
    range: lambda writer, value, depth: writer.spend(f"range({value.start}, {value.stop}, {value.step})"),
    Fraction: _fraction_text,
    Decimal: lambda writer, value, depth: writer.spend(f"Decimal({Decimal.__str__(value)!r})"),
    datetime.timedelta: lambda writer, value, depth: writer.spend(
        f"timedelta({value.days}, {value.seconds}, {value.microseconds})"
    ),
    **dict.fromkeys(_DATES, _iso_text),
}
