"""Values as text: the only form in which anything a program made leaves its cell.

`canonical` writes, `parse` reads. A text can be compared, hashed and stored, and be read back without running
anything. The rules:

- bool, int, float, str, bytes, None, list, tuple, set, frozenset, dict: as Python writes them; ints beyond 4,300
  digits in hexadecimal. `nan`, `inf`, `-inf` and `-0.0` stay visible.
- Sets, and dicts unless `ordered`, are sorted by their items' texts: sets and dicts with the same items have one text.
  `1`, `1.0` and `True` have three, though Python calls them equal: the verdict (`core/verdict.py`) compares values,
  votes compare texts.
- complex, bytearray, range, Fraction, Decimal, and the types of datetime: `name(arguments)`.
- A subclass of one of these is what it holds (a namedtuple is a tuple, a Counter a dict): its own methods, equality
  among them, are never asked.
- A numpy scalar is the Python value it holds, an array `array([its items in a row], 'kind of item', (its, shape))`.
- Anything else is opaque: `<TypeName>`. A value that holds itself has `<cycle>` there, one nested deeper than 80
  `<deep>`.

This package also runs inside the cell, next to the program, so it imports only the standard library.
"""

from ucoder.core.values.reading import Opaque, Unreadable, parse
from ucoder.core.values.writing import TooLarge, canonical

__all__ = ["Opaque", "TooLarge", "Unreadable", "canonical", "parse"]
