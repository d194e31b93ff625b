"""The shape of an argument: a tree of kinds, ranges and alphabets, narrowed by the values that were seen."""

import string
from collections.abc import Sequence
from dataclasses import dataclass, replace

WIDEST_SEEDS = 20
"""The number of strings seen that a text shape keeps."""


@dataclass(frozen=True, slots=True)
class Int:
    """A whole number from `low` to `high`, both included."""

    low: int = -10
    high: int = 100


@dataclass(frozen=True, slots=True)
class Float:
    """A float from `low` to `high`, both included."""

    low: float = -10.0
    high: float = 100.0


@dataclass(frozen=True, slots=True)
class Bool:
    """True or False."""


@dataclass(frozen=True, slots=True)
class Text:
    """A string (or bytes): one like the `seeds`, which were seen, or one made of the alphabet."""

    alphabet: str = string.ascii_letters + string.digits + " "
    longest: int = 12
    seeds: tuple[str, ...] = ()
    binary: bool = False


@dataclass(frozen=True, slots=True)
class Choice:
    """One of a few values."""

    values: tuple[object, ...]


@dataclass(frozen=True, slots=True)
class Collection:
    """A list, tuple, set or frozenset with items of one shape."""

    kind: type
    of: "Shape"
    longest: int = 8
    shortest: int = 0


@dataclass(frozen=True, slots=True)
class FixedTuple:
    """A tuple with a shape for each place."""

    of: tuple["Shape", ...]


@dataclass(frozen=True, slots=True)
class Dictionary:
    """A dict with keys of one shape and values of another."""

    key: "Shape"
    value: "Shape"
    longest: int = 6


@dataclass(frozen=True, slots=True)
class OneOf:
    """One of several shapes."""

    of: tuple["Shape", ...]


Shape = Int | Float | Bool | Text | Choice | Collection | FixedTuple | Dictionary | OneOf
NOTHING = Choice((None,))
SIMPLE: dict[type, Shape] = {int: Int(), float: Float(), bool: Bool(), str: Text(), bytes: Text(binary=True)}


def one_of(shapes: Sequence[Shape]) -> Shape:
    """Returns the shape that is any of these, without duplicates."""
    distinct = tuple(dict.fromkeys(shapes))
    return distinct[0] if len(distinct) == 1 else OneOf(distinct)


def shape_of_values(values: Sequence[object]) -> Shape | None:
    """Returns the shape that all these values have, or None without values or for a kind without literals."""
    kinds: dict[type, list[object]] = {}
    for value in values:
        kinds.setdefault(type(value), []).append(value)
    if kinds.keys() == {int, float}:
        kinds = {float: [float(value) for value in values]}  # type: ignore[arg-type]
    known = [shape for kind, some in kinds.items() if (shape := _of_kind(kind, some))]
    return one_of(known) if known and len(known) == len(kinds) else None


def _of_kind(kind: type, values: Sequence[object]) -> Shape | None:
    if kind is type(None):
        return NOTHING
    if kind in SIMPLE:
        return narrowed(SIMPLE[kind], values)
    if kind is tuple and len({len(value) for value in values}) == 1 and values[0]:  # type: ignore[arg-type]
        places = [shape_of_values(place) for place in zip(*values, strict=True)]
        return FixedTuple(tuple(place for place in places if place)) if all(places) else None
    if kind in (list, tuple, set, frozenset):
        items = [item for value in values for item in value]  # type: ignore[attr-defined]
        inner = shape_of_values(items) if items else Int()
        return narrowed(Collection(kind, inner), values) if inner else None
    if kind is dict:
        keys = shape_of_values([key for value in values for key in value]) or Text()  # type: ignore[attr-defined]
        inner = shape_of_values([item for value in values for item in value.values()]) or Int()  # type: ignore[attr-defined]
        return narrowed(Dictionary(keys, inner), values)
    return None


def narrowed(shape: Shape, values: Sequence[object]) -> Shape:
    """Returns the shape with the ranges and alphabets of the values that fit it, or itself where none fits.

    Other values are probably outside the specification (a negative count, a letter among brackets), where correct
    programs may differ. So ranges go beyond the values in size, but never in kind.
    """
    if isinstance(shape, Int):
        whole = [value for value in values if type(value) is int]
        return Int(*map(int, _range(min(whole), max(whole)))) if whole else shape
    if isinstance(shape, Float):
        real = [float(value) for value in values if type(value) in (int, float)]  # type: ignore[arg-type]
        finite = [value for value in real if abs(value) < 1e300]
        return Float(*map(float, _range(min(finite), max(finite)))) if finite else shape
    if isinstance(shape, Text):
        return _narrowed_text(shape, values)
    if isinstance(shape, Collection):
        some = [value for value in values if type(value) is shape.kind]
        inner = narrowed(shape.of, [item for value in some for item in value])  # type: ignore[attr-defined]
        sizes = [len(value) for value in some] or [0]  # type: ignore[arg-type]
        return replace(shape, of=inner, longest=min(40, max(shape.longest, 2 * max(sizes))), shortest=min(1, *sizes, 1))
    if isinstance(shape, FixedTuple):
        fitting = [value for value in values if type(value) is tuple and len(value) == len(shape.of)]
        columns = zip(*fitting, strict=True) if fitting else [()] * len(shape.of)
        return FixedTuple(tuple(narrowed(part, column) for part, column in zip(shape.of, columns, strict=True)))
    if isinstance(shape, Dictionary):
        dicts = [value for value in values if type(value) is dict]
        keys = narrowed(shape.key, [key for value in dicts for key in value])
        return replace(shape, key=keys, value=narrowed(shape.value, [v for d in dicts for v in d.values()]))
    if isinstance(shape, OneOf):
        return one_of([narrowed(part, values) for part in shape.of])
    return shape


def _range(low: int | float, high: int | float) -> tuple[int | float, int | float]:
    """Returns a range around the values seen: from 1 where no value was below 1, from 0 where none was below 0."""
    least = 1 if low >= 1 else 0 if low >= 0 else -max(abs(low), abs(high), 10)
    return least, max(2 * high, 50) if high > 0 else max(high, 10 if low < 0 else 0)


def _narrowed_text(shape: Text, values: Sequence[object]) -> Shape:
    kind = bytes if shape.binary else str
    seen = [value for value in values if type(value) is kind]
    seeds = tuple(dict.fromkeys(value.decode("latin-1") if isinstance(value, bytes) else value for value in seen))
    letters = set("".join(seeds))
    if not letters:
        return replace(shape, seeds=seeds[:WIDEST_SEEDS])
    for family in (string.ascii_lowercase, string.ascii_uppercase, string.digits):
        if len(letters & set(family)) > 2:
            letters |= set(family)
    longest = min(60, max(8, 2 * max(map(len, seeds))))
    return replace(shape, alphabet="".join(sorted(letters)), longest=longest, seeds=seeds[:WIDEST_SEEDS])
