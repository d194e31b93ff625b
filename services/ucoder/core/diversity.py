"""How varied a set of programs is: the paper's measures (arXiv 2512.17385, section on diversity) and exact ones.

A loop that trains on its own output can collapse; these numbers fall before its benchmark does.
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
    """Means (and standard deviations) over programs, each once; `distinct`: share of different syntax trees."""

    programs: int
    distinct: float
    token_entropy_bits: float
    node_types: float
    complexity: float
    complexity_sd: float
    lines: float
    lines_sd: float


def measure(programs: Sequence[str]) -> Diversity:
    """Diversity of `programs`. Those that do not parse count for entropy and lines only. None at all: zeros."""
    if not programs:
        return Diversity(0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0)
    lines = [sum(bool(line.strip()) for line in text.splitlines()) for text in programs]
    trees = [tree for tree in map(parse, programs) if tree is not None]
    complexities = [cyclomatic_complexity(tree) for tree in trees]
    return Diversity(
        programs=len(programs),
        distinct=len(set(map(normal_form, programs))) / len(programs),
        token_entropy_bits=_mean(entropy_bits(tokens(text)) for text in programs),
        node_types=_mean(len({type(node) for node in ast.walk(tree)}) for tree in trees),
        complexity=_mean(complexities),
        complexity_sd=_deviation(complexities),
        lines=_mean(lines),
        lines_sd=_deviation(lines),
    )


def tokens(program: str) -> list[str]:
    """Names, numbers, one-line strings and single marks; white space is no token."""
    return _TOKEN.findall(program)


def entropy_bits(symbols: Iterable[Hashable]) -> float:
    """Shannon entropy of the symbols' frequencies, in bits. Nothing: 0."""
    counts = Counter(symbols)
    total = counts.total()
    return -sum(n / total * math.log2(n / total) for n in counts.values()) if len(counts) > 1 else 0.0


def tree_entropy_bits(programs: Iterable[str]) -> float:
    """Entropy of the node types in the syntax trees of all programs together; those that do not parse do not count."""
    trees = [tree for tree in map(parse, programs) if tree is not None]
    return entropy_bits(type(node).__name__ for tree in trees for node in ast.walk(tree))


def cyclomatic_complexity(tree: ast.AST) -> int:
    """McCabe's number: 1 + branches, each further operand of `and`/`or` being one."""
    nodes = list(ast.walk(tree))
    operands = sum(len(node.values) - 1 for node in nodes if isinstance(node, ast.BoolOp))
    return 1 + sum(isinstance(node, _BRANCHES) for node in nodes) + operands


def _mean(values: Iterable[float]) -> float:
    found = list(values)
    return sum(found) / len(found) if found else 0.0


def _deviation(values: Sequence[float]) -> float:
    mean = _mean(values)
    return math.sqrt(_mean((value - mean) ** 2 for value in values))
