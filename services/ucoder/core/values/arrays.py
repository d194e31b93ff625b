"""Converts numpy values to plain ones and back: a scalar to its Python value, an array to items, kind and shape.

Outside a cell numpy is never imported to read a value, because a text could describe an array far larger than itself.
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
    """An array as plain values. As with numpy, only an array of one item can be compared or be true."""

    flat: Any
    """Its items in a row: a list, or the numpy array itself."""
    kind: str
    shape: tuple[int, ...]

    __hash__ = None  # type: ignore[assignment]

    @property
    def size(self) -> int:
        """The number of items."""
        return math.prod(self.shape)

    def items(self) -> Iterable[Any]:
        """Returns the items as Python values."""
        return self.flat if isinstance(self.flat, list) else self.flat.ravel().tolist()

    def __eq__(self, other: object) -> bool:
        return bool(self.only_item() == other)

    def __bool__(self) -> bool:
        return bool(self.only_item())

    def only_item(self) -> Any:
        """Returns the only item. Raises TypeError where there are more or none."""
        if len(self.flat) != 1:
            raise TypeError("the truth value of an array is ambiguous")
        return self.flat[0]


def plain_value(value: Any, kind: type) -> Array | tuple[Any] | None:
    """Returns an `Array` for a numpy array, (the Python value,) for a numpy scalar, and None for any other value."""
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


def checked_array(flat: Any, kind: Any, shape: Any) -> Array:
    """Returns the `Array` of these parts. Raises ValueError where they cannot be one."""
    if not (isinstance(flat, list) and kind in KINDS and isinstance(shape, tuple) and len(shape) <= MOST_DIMENSIONS):
        raise ValueError("not an array")
    if not all(type(size) is int and size >= 0 for size in shape) or math.prod(shape) != len(flat):
        raise ValueError("not the shape of this array")
    return Array(flat, kind, shape)


def numpy_array(flat: Any, kind: Any, shape: Any) -> Any:
    """Returns a numpy array of these parts, or an `Array` where the cell's image has no numpy."""
    array = checked_array(flat, kind, shape)
    try:
        numpy = importlib.import_module("numpy")
    except ImportError:
        return array
    return numpy.array(flat, dtype=kind).reshape(shape)
