"""Draws tests for a signature: its examples, and inputs that hypothesis makes of random bytes from the seed."""

import random
from collections.abc import Callable, Iterable
from typing import Any

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from ucoder.core.input_synthesis import Signature, shapes
from ucoder.core.test_plans import Test
from ucoder.core.values import canonical

TRIES = 12
"""The limit of draws for each wanted input, because the same input may be drawn again."""
LONGEST = 2000
"""The limit of characters of one call."""
BYTES = 2048
"""The number of random bytes for one draw."""


def draw_tests(signature: Signature, limit: int, seed: int) -> list[Test]:
    """Returns at most `limit` tests: the examples as asserts, then calls `f(args)` with literal arguments.

    Each input occurs once. The same arguments give the same tests.
    """
    tests = {example.call: example.test for example in signature.examples}
    return [Test(code=tests.get(call, call)) for call in draw_calls(signature, tests, limit, seed)]


def draw_calls(signature: Signature, known: Iterable[str], limit: int, seed: int) -> list[str]:
    """Returns at most `limit` distinct calls, the known ones first.

    Hypothesis turns our own random bytes into values. Its engine would also draw constants from the modules that this
    process has loaded, so that no two processes would draw the same.
    """
    calls = dict.fromkeys(known)

    @settings(database=None, deadline=None, phases=[Phase.generate], suppress_health_check=list(HealthCheck))
    @given(st.tuples(*(_strategy_of(parameter.shape) for parameter in signature.parameters)))
    def draw(values: tuple[Any, ...]) -> None:
        named = zip(signature.parameters, values, strict=True)
        written = [f"{p.name}={canonical(v)}" if p.keyword else canonical(v) for p, v in named]
        call = f"{signature.entry_point}({', '.join(written)})"
        if len(call) <= LONGEST:
            calls.setdefault(call)

    source = random.Random(seed)
    for _ in range(TRIES * limit):
        if len(calls) >= limit:
            break
        draw.hypothesis.fuzz_one_input(source.randbytes(BYTES))  # type: ignore[attr-defined]
    return list(calls)[:limit]


def _strategy_of(shape: shapes.Shape) -> st.SearchStrategy[Any]:
    """Returns a strategy for values of a shape. Small and extreme ones are frequent, because programs differ there."""
    match shape:
        case shapes.Int(low, high):
            edges = [value for value in (0, 1, 2, -1, low, high) if low <= value <= high]
            small = st.integers(max(low, min(-9, high)), min(high, max(12, low)))
            return st.one_of(st.sampled_from(edges), small, small, st.integers(low, high))
        case shapes.Float(low, high):
            tenths = st.integers(int(low * 10), max(int(low * 10), int(high * 10))).map(lambda n: n / 10)
            halves = st.integers(int(low * 2), max(int(low * 2), int(min(high, 20) * 2))).map(lambda n: n / 2)
            return st.one_of(halves, tenths)
        case shapes.Bool():
            return st.booleans()
        case shapes.Text():
            return _text(shape)
        case shapes.Choice(values):
            return st.sampled_from(values)
        case shapes.Collection(kind, of, longest, shortest):
            items = st.lists(_strategy_of(of), min_size=shortest, max_size=longest)
            return items.map(kind) if kind is not list else items
        case shapes.FixedTuple(of):
            return st.tuples(*map(_strategy_of, of))
        case shapes.Dictionary(key, value, longest):
            return st.dictionaries(_strategy_of(key), _strategy_of(value), max_size=longest)
        case shapes.OneOf(of):
            return st.one_of(*map(_strategy_of, of))


def _text(shape: shapes.Text) -> st.SearchStrategy[Any]:
    alphabet = shape.alphabet or "a"
    letters = st.sampled_from(alphabet)
    plain = st.lists(letters, max_size=shape.longest).map("".join)
    few = st.lists(st.sampled_from(alphabet[:3]), max_size=shape.longest).map("".join)
    drawn = st.one_of(plain, few)
    if shape.seeds:
        drawn = st.one_of(_near(shape, letters), _near(shape, letters), plain)
    return drawn.map(lambda text: text.encode("latin-1", "replace")) if shape.binary else drawn


@st.composite
def _near(draw: Callable[[st.SearchStrategy[Any]], Any], shape: shapes.Text, letters: st.SearchStrategy[str]) -> str:
    """Draws a string that was seen, with up to two characters changed, left out, doubled or swapped."""
    text: str = draw(st.sampled_from(shape.seeds))
    for _ in range(draw(st.integers(0, 2))):
        if not text:
            return text
        place = draw(st.integers(0, len(text) - 1))
        before, here, after = text[:place], text[place], text[place + 1 :]
        edit = draw(st.integers(0, 3))
        edited = (before + draw(letters) + after, before + after, before + here + here + after, after + here + before)
        text = edited[edit]
    return text
