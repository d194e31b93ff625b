"""The diversity of a set of programs: the paper's measures (arXiv 2512.17385, section on diversity) and exact ones.

A loop that trains on its own output can collapse. These numbers fall before its benchmark score does.
"""

import ast
import math
import re
from array import array
from collections import Counter
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from ucoder.core.extraction import normal_form, parse

_TOKEN = re.compile(r"[A-Za-z_]\w*|\d+(?:\.\d+)?|\"[^\"\n]*\"|'[^'\n]*'|[^\s\w]")
_BRANCHES = (
    ast.If, ast.For, ast.AsyncFor, ast.While, ast.ExceptHandler, ast.IfExp, ast.Assert, ast.comprehension,
    ast.match_case,
)  # fmt: skip


@dataclass(frozen=True)
class Diversity:
    """The means (and standard deviations, `_sd`) over programs, and the share of distinct syntax trees."""

    programs: int
    distinct: float
    token_entropy_bits: float
    node_types: float
    complexity: float
    complexity_sd: float
    lines: float
    lines_sd: float


class DiversityMeter:
    """Measures programs one at a time, without keeping them. One that does not parse counts for entropy and lines only.

    The numbers of a million programs take some 50 MB.
    """

    def __init__(self) -> None:
        self._entropies, self._node_types, self._complexities, self._lines = (array("d") for _ in range(4))
        self._forms, self._nodes = array("q"), Counter[str]()

    def add(self, program: str) -> None:
        """Measures one more program."""
        self._entropies.append(entropy_bits(tokens(program)))
        self._lines.append(sum(bool(line.strip()) for line in program.splitlines()))
        self._forms.append(hash(normal_form(program)))
        if (tree := parse(program)) is not None:
            names = Counter(type(node).__name__ for node in ast.walk(tree))
            self._nodes.update(names)
            self._node_types.append(len(names))
            self._complexities.append(cyclomatic_complexity(tree))

    def result(self) -> Diversity:
        """Returns the measures of all programs so far."""
        return Diversity(
            programs=len(self._lines),
            distinct=len(np.unique(self._forms)) / max(1, len(self._forms)),
            token_entropy_bits=_mean(self._entropies),
            node_types=_mean(self._node_types),
            complexity=_mean(self._complexities),
            complexity_sd=_deviation(self._complexities),
            lines=_mean(self._lines),
            lines_sd=_deviation(self._lines),
        )

    def tree_entropy_bits(self) -> float | None:
        """Returns the entropy in bits of the node types in all syntax trees together; None without a tree."""
        total = self._nodes.total()
        return -sum(n / total * math.log2(n / total) for n in self._nodes.values()) if total else None


def measure(programs: Iterable[str]) -> Diversity:
    """Measures the diversity of programs."""
    meter = DiversityMeter()
    for program in programs:
        meter.add(program)
    return meter.result()


def tokens(program: str) -> list[str]:
    """Splits a program into names, numbers, one-line strings and single marks, without white space."""
    return _TOKEN.findall(program)


def entropy_bits(symbols: Iterable[Hashable]) -> float:
    """Returns the Shannon entropy of the symbols' frequencies, in bits. Without symbols it is 0."""
    counts = Counter(symbols)
    total = counts.total()
    return -sum(n / total * math.log2(n / total) for n in counts.values()) if len(counts) > 1 else 0.0


def cyclomatic_complexity(tree: ast.AST) -> int:
    """Returns McCabe's number: 1 + branches, where each further operand of `and` or `or` is a branch."""
    nodes = list(ast.walk(tree))
    operands = sum(len(node.values) - 1 for node in nodes if isinstance(node, ast.BoolOp))
    return 1 + sum(isinstance(node, _BRANCHES) for node in nodes) + operands


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values) if values else 0.0


def _deviation(values: Sequence[float]) -> float:
    mean = _mean(values)
    return math.sqrt(sum((value - mean) ** 2 for value in values) / max(1, len(values)))
