"""Draws random arguments as source text, with many edge cases: empty, zero, negative, repeated, boundary values."""

import random
from typing import TypeVar

NUMBERS, TEXT, WORDS, INT = "list[int]", "str", "list[str]", "int"
"""The types of the arguments."""
_Item = TypeVar("_Item")
_WORDS = (
    "apple", "Kiwi", "level", "Noon", "tree", "Owl", "echo", "UP", "ice", "Ada", "bee", "book", "cat", "data",
    "End", "a", "I", "x1", "42", "7", "Zoo", "eel", "moon", "Anna", "sun", "map", "ox", "", "Go", "idea",
)  # fmt: skip


def arguments(rng: random.Random, source: str, second: bool, near: tuple[int, ...], count: int) -> list[str]:
    """Returns `count` different argument lists. Values in `near` are frequent, because off-by-one errors show there."""
    found: dict[str, None] = {}
    while len(found) < count:
        k = rng.randint(1, 5)
        text = _value(rng, source, (*near, k) if second else near)
        found[f"{text}, {k}" if second else text] = None
    return list(found)


def _value(rng: random.Random, source: str, near: tuple[int, ...]) -> str:
    if source == INT:
        return repr(_int(rng, near, 30))
    if source == NUMBERS:
        return repr(_numbers(rng, near))
    if source == TEXT:
        return repr(_text(rng))
    assert source == WORDS, source
    words = [rng.choice(_WORDS) for _ in range(rng.choice((0, 1, 2, 3, 3, 4, 5)))]
    return repr(_repeat(rng, words))


def _int(rng: random.Random, near: tuple[int, ...], reach: int) -> int:
    if near and rng.random() < 0.25:
        return rng.choice(near)
    return rng.randint(-reach // 3, reach)


def _numbers(rng: random.Random, near: tuple[int, ...]) -> list[int]:
    size = rng.choice((0, 1, 2, 3, 3, 4, 4, 5, 6))
    low = rng.choice((-9, -9, -5, 0, 1))
    numbers = [rng.choice(near) if near and rng.random() < 0.25 else rng.randint(low, 12) for _ in range(size)]
    return _repeat(rng, numbers)


def _repeat(rng: random.Random, items: list[_Item]) -> list[_Item]:
    if len(items) > 1 and rng.random() < 0.5:
        items[rng.randrange(len(items))] = rng.choice(items)
    return items


def _text(rng: random.Random) -> str:
    words = [rng.choice(_WORDS) for _ in range(rng.choice((0, 1, 1, 2, 2, 3)))]
    text = rng.choice((" ", " ", "  ")).join(words)
    return rng.choice((text, text, text, f" {text}", f"{text} ", f" {text} "))
