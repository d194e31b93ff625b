"""Values as text: what is written can be read back, and nothing hostile can be read as anything else."""

import contextlib
import datetime
import math
from collections import Counter, OrderedDict, defaultdict, namedtuple
from decimal import Decimal
from enum import IntEnum
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ucoder.core.values import Opaque, TooLarge, Unreadable, canonical, parse

Point = namedtuple("Point", "x y")


class Colour(IntEnum):
    RED = 3


class Liar(int):
    def __eq__(self, other: object) -> bool:
        return True

    def __repr__(self) -> str:
        return "42"

    __hash__ = int.__hash__


TEXTS: list[tuple[Any, str]] = [
    (None, "None"),
    (True, "True"),
    (-0.0, "-0.0"),
    (1e300, "1e+300"),
    (math.inf, "inf"),
    (-math.inf, "-inf"),
    (10**5000, hex(10**5000)),
    ("it's\n", '"it\'s\\n"'),
    ("\ud800", "'\\ud800'"),
    (b"\x00a", "b'\\x00a'"),
    (bytearray(b"a"), "bytearray(b'a')"),
    ((1,), "(1,)"),
    ((), "()"),
    (set(), "set()"),
    ({"b", "a"}, "{'a', 'b'}"),
    (frozenset({1}), "frozenset([1])"),
    ({"b": 1, "a": [2]}, "{'a': [2], 'b': 1}"),
    (complex(1, -2), "complex(1.0, -2.0)"),
    (range(1, 9, 2), "range(1, 9, 2)"),
    (Fraction(2, 6), "Fraction(1, 3)"),
    (Decimal("1.50"), "Decimal('1.50')"),
    (datetime.date(2024, 2, 29), "date('2024-02-29')"),
    (datetime.timedelta(days=-1, seconds=3), "timedelta(-1, 3, 0)"),
    (Point(1, 2), "(1, 2)"),
    (Counter("aab"), "{'a': 2, 'b': 1}"),
    (OrderedDict(a=1), "{'a': 1}"),
    (defaultdict(int, a=1), "{'a': 1}"),
    (Colour.RED, "3"),
    (Liar(7), "7"),
]


@pytest.mark.parametrize(("value", "text"), TEXTS, ids=[text[:20] for _, text in TEXTS])
def test_text_of_a_value_and_back(value: Any, text: str) -> None:
    assert canonical(value) == text
    assert canonical(parse(text)) == text


@pytest.mark.parametrize("value", [iter([]), lambda: 1, object(), Opaque, (n for n in "a"), math])
def test_other_objects_are_opaque(value: object) -> None:
    text = canonical([value])
    assert text == f"[<{type(value).__name__}>]"
    assert parse(text) != parse(text)


def test_nan_stays_visible() -> None:
    assert canonical([math.nan]) == "[nan]"
    assert math.isnan(parse("nan"))


def test_cycles_and_depth_end() -> None:
    loop: list[Any] = []
    loop.append({"self": loop})
    assert canonical(loop) == "[{'self': <cycle>}]"
    deep: list[Any] = []
    for _ in range(100_000):
        deep = [deep]
    assert "<deep>" in canonical(deep)


def test_shared_parts_do_not_explode() -> None:
    doubled: list[Any] = [1]
    for _ in range(60):
        doubled = [doubled, doubled]
    with pytest.raises(TooLarge):
        canonical(doubled)
    with pytest.raises(TooLarge):
        canonical("x" * 2000, limit=1000)


HOSTILE = (
    "__import__('os')",
    "f(1)",
    "[1",
    "1 2",
    "{[]: 1}",
    "{1: 2, 3}",
    "(" * 10_000,
    "1 + 1",
    "'a' 'b'",
    "range(1, 2, 0)",
    "date('x')",
    "Decimal('x')",
    "range(1)(2)",
    "lambda: 1",
    "[x for x in 'a']",
    "",
    "-",
    "0x",
    "'\\N{x}'",
)


@pytest.mark.parametrize("text", HOSTILE, ids=[text[:20] or "empty" for text in HOSTILE])
def test_anything_else_is_unreadable(text: str) -> None:
    with pytest.raises(Unreadable):
        parse(text)


plain = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text() | st.binary(),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.tuples(inner, inner)
        | st.dictionaries(st.text() | st.integers(), inner, max_size=4)
    ),
    max_leaves=20,
)


@settings(deadline=None, max_examples=60)
@given(plain)
def test_every_plain_value_can_be_read_back(value: Any) -> None:
    assert parse(canonical(value)) == value


@settings(deadline=None, max_examples=200)
@given(st.text(alphabet="[](){}<>,:'\"\\x01 aNoneb", max_size=40))
def test_reading_raises_no_other_error(text: str) -> None:
    with contextlib.suppress(Unreadable):
        canonical(parse(text))


BOMBS = {
    "bytes": "bytearray(20000000000)",
    "a set of a range": "set(range(0, 10000000000, 1))",
    "a frozen set of a range": "frozenset(range(0, 10000000000, 1))",
    "a fraction of a power": "Fraction('1e999999999')",
    "a fraction of a decimal": "Fraction(Decimal('1e999999999'), 1)",
    "a large fraction": f"Fraction(0x{'f' * 200_000}, 0x{'e1' * 100_000})",
    "one hash for a set": f"{{{', '.join(str(((1 << 61) - 1) * n) for n in range(30_000))}}}",
    "one hash for a dict": f"{{{', '.join(f'({((1 << 61) - 1) * n},): 0' for n in range(30_000))}}}",
    "one hash for a frozen set": f"frozenset([{', '.join(str(((1 << 61) - 1) * n) for n in range(30_000))}])",
    "an array larger than its items": "array([0], 'int8', (1000000, 1000000))",
    "an array of wide text": f"array([{'0, ' * 8}'{'x' * 9}'], 'U999999999', (9,))",
    "a strange array": "array([1], 'object', (1,))",
}


@pytest.mark.timeout(5)
@pytest.mark.parametrize("name", BOMBS)
def test_text_that_would_be_much_more_than_itself_is_unreadable(name: str) -> None:
    with pytest.raises(Unreadable):
        parse(BOMBS[name])


def test_order_of_a_dict_is_kept_where_it_is_worked_with() -> None:
    value = {"b": {2: 0, 1: 0}, "a": {3, 1}}
    assert canonical(value, ordered=True) == "{'b': {2: 0, 1: 0}, 'a': {1, 3}}"
    assert canonical(parse(canonical(value, ordered=True)), ordered=True) == canonical(value, ordered=True)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (np.int64(5), "5"),
        (np.float32(0.5), "0.5"),
        (np.float64(0.1), "0.1"),
        (np.bool_(True), "True"),
        (np.str_("a"), "'a'"),
        (np.datetime64("2024-02-29"), "date('2024-02-29')"),
        (np.longdouble(1), "<longdouble>"),
        (np.array([[1, 2], [3, 4]]), "array([1, 2, 3, 4], 'int64', (2, 2))"),
        (np.array([0.5, np.nan], dtype="float32"), "array([0.5, nan], 'float32', (2,))"),
        (np.zeros((0, 3)), "array([], 'float64', (0, 3))"),
        (np.array(["ab", "c"]), "array(['ab', 'c'], 'str', (2,))"),
        ([np.array([True])], "[array([True], 'bool', (1,))]"),
        (np.array([object()]), "<ndarray>"),
    ],
)
def test_numpy_values_are_plain(value: Any, text: str) -> None:
    assert canonical(value) == text
    if "<" not in text:
        assert canonical(parse(text, Opaque)) == text


def test_an_array_becomes_a_numpy_array_only_where_it_is_used() -> None:
    text = canonical(np.arange(6).reshape(2, 3))
    assert parse(text, Opaque).tolist() == [[0, 1, 2], [3, 4, 5]]
    assert not isinstance(parse(text), np.ndarray)
    assert parse("array([3], 'int64', (1,))") == 3
    with pytest.raises(TypeError):
        assert parse(text) == [0, 1, 2]
    with pytest.raises(TooLarge):
        canonical(np.zeros(5000), limit=1000)
