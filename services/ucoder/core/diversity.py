"""The diversity of a set of programs: the paper's measures (arXiv 2512.17385, section on diversity) and exact ones.

A loop that trains on its own output can collapse. These numbers fall before its benchmark score does.
"""

import ast
import math
import re
from collections import Counter
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass

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


def measure(programs: Sequence[str]) -> Diversity:
    """Measures the diversity of programs. One that does not parse counts for entropy and lines only."""
    lines = [sum(bool(line.strip()) for line in text.splitlines()) for text in programs]
    trees = [tree for tree in map(parse, programs) if tree is not None]
    complexities = [cyclomatic_complexity(tree) for tree in trees]
    return Diversity(
        programs=len(programs),
        distinct=len(set(map(normal_form, programs))) / max(1, len(programs)),
        token_entropy_bits=_mean(entropy_bits(tokens(text)) for text in programs),
        node_types=_mean(len({type(node) for node in ast.walk(tree)}) for tree in trees),
        complexity=_mean(complexities),
        complexity_sd=_deviation(complexities),
        lines=_mean(lines),
        lines_sd=_deviation(lines),
    )


def tokens(program: str) -> list[str]:
    """Splits a program into names, numbers, one-line strings and single marks, without white space."""
    return _TOKEN.findall(program)


def entropy_bits(symbols: Iterable[Hashable]) -> float:
    """Returns the Shannon entropy of the symbols' frequencies, in bits. Without symbols it is 0."""
    counts = Counter(symbols)
    total = counts.total()
    return -sum(n / total * math.log2(n / total) for n in counts.values()) if len(counts) > 1 else 0.0


def tree_entropy_bits(programs: Iterable[str]) -> float:
    """Returns the entropy in bits of the node types in all syntax trees together. Programs must parse to count."""
    trees = [tree for tree in map(parse, programs) if tree is not None]
    return entropy_bits(type(node).__name__ for tree in trees for node in ast.walk(tree))


def cyclomatic_complexity(tree: ast.AST) -> int:
    """Returns McCabe's number: 1 + branches, where each further operand of `and` or `or` is a branch."""
    nodes = list(ast.walk(tree))
    operands = sum(len(node.values) - 1 for node in nodes if isinstance(node, ast.BoolOp))
    return 1 + sum(isinstance(node, _BRANCHES) for node in nodes) + operands


def _mean(values: Iterable[float]) -> float:
    numbers = list(values)
    return sum(numbers) / len(numbers) if numbers else 0.0


def _deviation(values: Sequence[float]) -> float:
    mean = _mean(values)
    return math.sqrt(_mean((value - mean) ** 2 for value in values))
