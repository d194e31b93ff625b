"""The features of programs that selection reads from their texts, without running them."""

import ast
import re
import zlib
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ucoder.core.extraction import DEFINITIONS, normal_tree, parse
from ucoder.core.task_features import condition_gap, docstrings_of, text_of_task, word_coverage

BUCKETS = 2048
"""The number of buckets that token pairs are hashed into. A program has 20 to 400 pairs."""
_TOKEN = re.compile(r"\w+|[^\w\s]")


@dataclass(frozen=True, eq=False)
class ProgramFeatures:
    """The features of N programs. A text that does not parse has size 1 and a class of its own."""

    classes: NDArray[np.int32]
    """(N,) programs with equal syntax trees share a number. Classes are numbered by first appearance."""
    nodes: NDArray[np.float64]
    """(N,) number of nodes of the syntax tree without docstrings."""
    does_nothing: NDArray[np.bool_]
    """(N,) programs that do nothing: samples that gave up."""
    condition_gap: NDArray[np.float64]
    """(N,) `task_features.condition_gap`. NaN where no task text is known."""
    word_coverage: NDArray[np.float64]
    """(N,) `task_features.word_coverage`, 0 to 1. NaN where no task text is known."""
    token_pairs: NDArray[np.uint8]
    """(N, BUCKETS / 8) packed bits: the pairs of neighbouring tokens that occur."""

    @classmethod
    def read(cls, programs: Sequence[str], task: str = "") -> "ProgramFeatures":
        """Reads the features of these texts, each distinct text once.

        The task's words come from a program's own docstrings, or else from `task`, a skeleton or plain words.
        """
        task_text = text_of_task(task) if task else ""
        of_text = {text: (*_tree_features(text, task_text), _token_pairs(text)) for text in dict.fromkeys(programs)}
        rows = [of_text[text] for text in programs]
        return cls(
            classes=numbered(row[0] for row in rows),
            nodes=np.array([row[1] for row in rows], dtype=np.float64),
            does_nothing=np.array([row[2] for row in rows], dtype=np.bool_),
            condition_gap=np.array([row[3] for row in rows], dtype=np.float64),
            word_coverage=np.array([row[4] for row in rows], dtype=np.float64),
            token_pairs=np.array([row[5] for row in rows], dtype=np.uint8).reshape(len(rows), BUCKETS // 8),
        )

    @classmethod
    def unknown(cls, n: int) -> "ProgramFeatures":
        """Returns the features of n programs without texts: each a class of its own, with nothing to compare."""
        unread = np.full(n, np.nan)
        no_pairs = np.zeros((n, BUCKETS // 8), dtype=np.uint8)
        return cls(np.arange(n, dtype=np.int32), np.ones(n), np.zeros(n, dtype=np.bool_), unread, unread, no_pairs)

    def take(self, order: NDArray[np.int64]) -> "ProgramFeatures":
        """Returns the features of the programs at these indices, in this order, with classes numbered anew."""
        return ProgramFeatures(
            numbered(self.classes[order].tolist()),
            self.nodes[order],
            self.does_nothing[order],
            self.condition_gap[order],
            self.word_coverage[order],
            self.token_pairs[order],
        )


def numbered(values: Iterable[Hashable]) -> NDArray[np.int32]:
    """Returns (n,) a number for each value. Distinct values are numbered by first appearance."""
    seen: dict[Hashable, int] = {}
    return np.array([seen.setdefault(value, len(seen)) for value in values], dtype=np.int32)


def typicality(token_pairs: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Returns (n,) the mean cosine similarity (0 to 1, 6 decimals) of each of n programs to all of them.

    The most typical program is the least-risk choice (minimum Bayes risk on texts) among programs that execution
    cannot tell apart. token_pairs: (n, BUCKETS / 8).
    """
    bits = np.unpackbits(token_pairs, axis=1).astype(np.float32)
    unit = bits / np.maximum(np.sqrt(bits.sum(axis=1, keepdims=True)), 1.0)
    return np.asarray(np.round((unit @ unit.mean(axis=0)).astype(np.float64), 6))


def does_nothing(tree: ast.Module) -> bool:
    """Returns whether the last function or class, or a program without one, does nothing: a sample that gave up."""
    defined = [node for node in tree.body if isinstance(node, DEFINITIONS)]
    return not any(map(_acts, ast.walk(defined[-1] if defined else tree)))


def _acts(node: ast.AST) -> bool:
    """Returns whether a node is a statement that has an effect or a result."""
    if isinstance(node, ast.Expr):
        return not isinstance(node.value, ast.Constant)
    return isinstance(node, ast.stmt) and not isinstance(node, DEFINITIONS | ast.Pass | ast.Import | ast.ImportFrom)


def _tree_features(program: str, task_text: str) -> tuple[str, float, bool, float, float]:
    """Returns normal form, nodes, whether it does nothing, condition gap and word coverage of one program."""
    tree = parse(program)
    if tree is None:
        return program, 1.0, False, np.nan, np.nan
    text = docstrings_of(tree) or task_text
    form, nodes = normal_tree(tree, program)  # the tree has no docstrings from here on
    gap, coverage = (condition_gap(text, nodes), word_coverage(text, nodes)) if text else (np.nan, np.nan)
    return form, float(len(nodes)), does_nothing(tree), gap, coverage


def _token_pairs(program: str) -> NDArray[np.uint8]:
    tokens = [zlib.crc32(token.encode("utf-8", "surrogatepass")) for token in _TOKEN.findall(program)]
    bits = np.zeros(BUCKETS, dtype=np.uint8)
    if len(tokens) > 1:
        codes = np.array(tokens, dtype=np.uint64)
        # Any fixed mixing of two hashes is good enough, as long as it is the same on every machine.
        bits[(codes[:-1] * np.uint64(31) + codes[1:]) % np.uint64(BUCKETS)] = 1
    return np.packbits(bits)
