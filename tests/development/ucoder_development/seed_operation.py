"""One step of a seed problem: its phrases, its two types, and the ways in which people write it in Python.

Templates use `$v` for the value a step works on, `$k` for its number, and, in blocks, `$o` for the variable
that takes the result.
"""

from dataclasses import dataclass

from ucoder.seed.inputs import INT, NUMBERS, TEXT, WORDS

BOOL = "bool"


@dataclass(frozen=True)
class Operation:
    """One typed step.

    `ways` are correct expressions, most usual first; the first one is the reference. `myth`, where there is one, is
    the most popular single way to write the step, and it is wrong: the systematic error of the seed model. `block` is
    a correct loop. `level` is 1 (easy) or 2 (hard).
    """

    name: str
    source: str
    target: str
    phrases: tuple[str, ...]
    ways: tuple[str, ...]
    myth: str | None = None
    block: str | None = None
    level: int = 1

    @property
    def takes_number(self) -> bool:
        return "$k" in self.phrases[0]


def step(
    name: str,
    source: str,
    target: str,
    phrases: str,
    *ways: str,
    myth: str | None = None,
    block: str | None = None,
    level: int = 1,
) -> Operation:
    """Returns an operation on the whole value; `phrases` are separated by `|`."""
    return Operation(name, source, target, tuple(phrases.split("|")), ways, myth, block, level)


_ITEM = {NUMBERS: "x", TEXT: "c", WORDS: "w"}


def each(
    name: str, source: str, phrases: str, *items: str, target: str = "", myth: str | None = None, level: int = 1
) -> Operation:
    """Returns a map: `items` are expressions over one item (`x` a number, `c` a character, `w` a word)."""
    return step(
        name, source, target or source, phrases, *(_comprehension(source, one) for one in items),
        myth=_comprehension(source, myth) if myth else None, block=_loop(source, items[0]), level=level,
    )  # fmt: skip


def keep(name: str, source: str, phrases: str, *conditions: str, myth: str | None = None, level: int = 1) -> Operation:
    """Returns a filter: `conditions` are true for the items that it keeps."""
    item = _ITEM[source]
    return step(
        name, source, source, phrases, *(_comprehension(source, item, one) for one in conditions),
        myth=_comprehension(source, item, myth) if myth else None, block=_loop(source, item, conditions[0]),
        level=level,
    )  # fmt: skip


def total(
    name: str, source: str, phrases: str, amount: str, condition: str | None, *ways: str, myth: str | None = None,
    level: int = 1,
) -> Operation:  # fmt: skip
    """Returns a sum: `amount` of every item for which `condition` holds, also written as a loop."""
    item = _ITEM[source]
    inner = f"    $o += {amount}" if condition is None else f"    if {condition}:\n        $o += {amount}"
    block = f"$o = 0\nfor {item} in $v:\n{inner}"
    return step(name, source, INT, phrases, *ways, myth=myth, block=block, level=level)


def _comprehension(source: str, expression: str, condition: str | None = None) -> str:
    """Returns the expression of every item of a value for which the condition holds, in one line."""
    inner = f"{expression} for {_ITEM[source]} in $v" + (f" if {condition}" if condition else "")
    return f"''.join({inner})" if source == TEXT else f"[{inner}]"


def _loop(source: str, expression: str, condition: str | None = None) -> str:
    """Returns the same as a loop."""
    start, addition = ("''", f"$o += {expression}") if source == TEXT else ("[]", f"$o.append({expression})")
    inner = f"    {addition}" if condition is None else f"    if {condition}:\n        {addition}"
    return f"$o = {start}\nfor {_ITEM[source]} in $v:\n{inner}"
