"""numpy's values, wherever numpy is: a scalar is the Python value it holds, an array its items, kind and shape.

numpy itself is never imported for a value read outside a cell: what such a text describes could be far larger than
the text.
"""

import importlib
import math
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

KINDS = frozenset(
    "bool int8 int16 int32 int64 uint8 uint16 uint32 uint64 float16 float32 float64 complex64 complex128 str bytes".split()  # noqa: E501, SIM905
)
MOST_DIMENSIONS = 32


@dataclass(frozen=True, slots=True, eq=False)
class Array:
    """An array as plain values. As in Python, only an array of one item can be compared or be true."""

    flat: Any
    """Its items in a row: a list, or the array itself."""
    kind: str
    shape: tuple[int, ...]

    __hash__ = None  # type: ignore[assignment]

    @property
    def size(self) -> int:
        return math.prod(self.shape)

    def items(self) -> Iterable[Any]:
        """As Python values."""
        return self.flat if isinstance(self.flat, list) else self.flat.ravel().tolist()

    def __eq__(self, other: object) -> bool:
        return bool(self.one() == other)

    def __ne__(self, other: object) -> bool:
        return bool(self.one() != other)

    def __bool__(self) -> bool:
        return bool(self.one())

    def one(self) -> Any:
        """The only item; TypeError where there are more or none."""
        if len(self.flat) != 1:
            raise TypeError("the truth value of an array is ambiguous")
        return self.flat[0]


def taken_apart(value: Any, kind: type) -> Array | tuple[Any] | None:
    """An `Array` for an array, (the Python value,) for a scalar, None for whatever is neither or cannot be told."""
    numpy: Any = sys.modules.get("numpy")
    if numpy is None or not kind.__module__.startswith("numpy"):
        return None
    if kind is numpy.ndarray:
        name = {"U": "str", "S": "bytes"}.get(value.dtype.kind, value.dtype.name)
        return Array(value, name, value.shape) if name in KINDS else None
    if numpy.generic in kind.__mro__:
        plain = value.item()
        return None if isinstance(plain, numpy.generic) else (plain,)
    return None


def described(flat: Any, kind: Any, shape: Any) -> Array:
    """The `Array` that a text speaks of; raises ValueError for what cannot be one."""
    if not (isinstance(flat, list) and kind in KINDS and isinstance(shape, tuple) and len(shape) <= MOST_DIMENSIONS):
        raise ValueError("not an array")
    if not all(type(size) is int and size >= 0 for size in shape) or math.prod(shape) != len(flat):
        raise ValueError("not the shape of this array")
    return Array(flat, kind, shape)


def real(flat: Any, kind: Any, shape: Any) -> Any:
    """The array itself, for a cell whose image has numpy; else as `described`."""
    array = described(flat, kind, shape)
    try:
        numpy = importlib.import_module("numpy")
    except ImportError:
        return array
    return numpy.array(flat, dtype=kind).reshape(shape)
