"""Which domains and difficulties the next iteration asks for: more of those of which too few pairs came out."""

from collections.abc import Mapping, Sequence
from typing import TypeVar

C = TypeVar("C")

LEAST, MOST = 0.5, 2.0
"""No cell gets less or more than so many times an even share: what fails today may work with tomorrow's weights, and
a cell from which nothing comes must not eat the iteration."""


def assign_cells(cells: Sequence[C], briefs: int, had: Mapping[C, tuple[int, int]]) -> list[C]:
    """The cell of each brief, in turn over the cells, so that any prefix is spread alike.

    had: (briefs, selected) of each cell in the iterations so far; nothing: even shares. A cell's weight is what it
    lacks of an equal number of pairs, over its yield; an iteration that is cut short still has seen every cell.
    """
    shares = [1.0] * len(cells)
    if had:
        selected = [had.get(cell, (0, 0))[1] for cell in cells]
        yields = [(1 + one) / (2 + had.get(cell, (0, 0))[0]) for cell, one in zip(cells, selected, strict=True)]
        goal = (sum(selected) + briefs * sum(yields) / len(cells)) / len(cells)
        wanted = [max(0.0, goal - one) / rate for one, rate in zip(selected, yields, strict=True)]
        mean = sum(wanted) / len(cells) or 1.0
        shares = [min(MOST, max(LEAST, one / mean)) for one in wanted]
    total = sum(shares)
    owed = [0.0] * len(cells)
    found = []
    for _ in range(briefs):
        owed = [debt + share / total for debt, share in zip(owed, shares, strict=True)]
        most = max(range(len(cells)), key=lambda i: (owed[i], -i))
        owed[most] -= 1.0
        found.append(cells[most])
    return found
