"""Values as canonical text: the only form in which a program's values leave their cell.

`canonical` writes a text, `parse` reads it. A text can be compared, hashed and stored, and read back without running
any code. The rules:

- bool, int, float, str, bytes, None, list, tuple, set, frozenset, dict: as Python writes them; ints beyond 4,300
  digits in hexadecimal. `nan`, `inf`, `-inf` and `-0.0` stay visible.
- Sets, and dicts unless `ordered`, are sorted by their items' texts: sets and dicts with the same items have one text.
  `1`, `1.0` and `True` have three texts although Python calls them equal: `core/value_comparison.py` compares values,
  votes compare texts.
- complex, bytearray, range, Fraction, Decimal, and the types of datetime: `name(arguments)`.
- A subclass of one of these is written as its base (a namedtuple as a tuple, a Counter as a dict). Its own methods,
  equality among them, are never called.
- A numpy scalar is written as its Python value, an array as `array([items in a row], 'kind of item', (shape,))`.
- Any other value is opaque: `<TypeName>`. A value inside itself is `<cycle>`, one nested deeper than 80 is `<deep>`.

This package also runs inside the cell, next to the program, so it imports only the standard library.
"""

from ucoder.core.values.reading import Opaque, Unreadable, parse
from ucoder.core.values.writing import TooLarge, canonical, written

QUESTIONS = frozenset(
    name for kind in (str, bytes, float, set) for name in dir(kind) if name.startswith("is") or name.endswith("swith")
)
"""Methods by which a test asks a built-in value for a truth, such as `startswith`. An object of a program with such a
method could always agree."""

__all__ = ["QUESTIONS", "Opaque", "TooLarge", "Unreadable", "canonical", "parse", "written"]
