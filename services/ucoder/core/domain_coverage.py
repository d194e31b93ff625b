"""Domain coverage: the next iteration asks more often for domains and difficulties that gave too few training pairs."""

from collections.abc import Iterator, Mapping, Sequence
from typing import TypeVar

Cell = TypeVar("Cell")

LEAST, MOST = 0.5, 2.0
"""The limits of a cell's share, in multiples of an even one. A cell that fails today may work with tomorrow's weights,
and a cell that yields nothing must not take up the iteration."""


def assign_cells(cells: Sequence[Cell], briefs: int, history: Mapping[Cell, tuple[int, int]]) -> Iterator[Cell]:
    """Yields the cell (domain and difficulty) of each brief. The cells alternate, so that any prefix is spread alike.

    history: (briefs, selected) of each cell in the iterations so far; empty for even shares. A cell's share is the
    number of pairs that it lacks of an equal distribution, over its yield. Because of the alternation an iteration that
    ends early has still used every cell.
    """
    shares = [1.0] * len(cells)
    if history:
        selected = [history.get(cell, (0, 0))[1] for cell in cells]
        yields = [(1 + pairs) / (2 + history.get(cell, (0, 0))[0]) for cell, pairs in zip(cells, selected, strict=True)]
        goal = (sum(selected) + briefs * sum(yields) / len(cells)) / len(cells)
        needed = [max(0.0, goal - pairs) / rate for pairs, rate in zip(selected, yields, strict=True)]
        mean = sum(needed) / len(cells) or 1.0
        shares = [min(MOST, max(LEAST, number / mean)) for number in needed]
    total = sum(shares)
    owed = [0.0] * len(cells)
    for _ in range(briefs):
        owed = [debt + share / total for debt, share in zip(owed, shares, strict=True)]
        most_owed = max(range(len(cells)), key=lambda i: (owed[i], -i))
        owed[most_owed] -= 1.0
        yield cells[most_owed]
