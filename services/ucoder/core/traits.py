"""What can be read off a program without running it, as far as selection uses it."""

import ast
import re
import zlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ucoder.core.extraction import normal_tree, parse

BUCKETS = 2048
"""Token pairs are hashed into so many buckets; a program has 20 to 400 pairs."""
_TOKEN = re.compile(r"\w+|[^\w\s]")


@dataclass(frozen=True, eq=False)
class Traits:
    """Of N programs. Texts that do not parse have size 1 and are their own class."""

    classes: NDArray[np.int32]
    """(N,) programs with equal syntax trees share a number; numbered by first appearance."""
    nodes: NDArray[np.float64]
    """(N,) nodes of the syntax tree, docstrings aside."""
    words: NDArray[np.float64]
    """(N,) words in its docstrings: how much the task asks for. NaN where there is none."""
    pairs: NDArray[np.uint8]
    """(N, BUCKETS / 8) packed bits: which pairs of neighbouring tokens occur."""

    @classmethod
    def read(cls, programs: Sequence[str]) -> "Traits":
        """Traits of these texts; equal texts are read once."""
        number: dict[str, int] = {}
        of_text: dict[str, tuple[int, float, float, NDArray[np.uint8]]] = {}
        for text in programs:
            if text not in of_text:
                form, nodes, words = _tree_traits(text)
                of_text[text] = (number.setdefault(form, len(number)), nodes, words, _pairs(text))
        found = [of_text[text] for text in programs]
        return cls(
            classes=np.array([row[0] for row in found], dtype=np.int32),
            nodes=np.array([row[1] for row in found], dtype=np.float64),
            words=np.array([row[2] for row in found], dtype=np.float64),
            pairs=np.array([row[3] for row in found], dtype=np.uint8).reshape(len(found), BUCKETS // 8),
        )

    @classmethod
    def unknown(cls, n: int) -> "Traits":
        """Of n programs whose texts were not given: every one its own class, nothing to compare."""
        blank = np.zeros((n, BUCKETS // 8), dtype=np.uint8)
        return cls(np.arange(n, dtype=np.int32), np.ones(n), np.full(n, np.nan), blank)

    def take(self, order: NDArray[np.int64]) -> "Traits":
        """The same for these programs in this order, classes numbered anew."""
        seen: dict[int, int] = {}
        classes = [seen.setdefault(number, len(seen)) for number in self.classes[order].tolist()]
        return Traits(np.array(classes, dtype=np.int32), self.nodes[order], self.words[order], self.pairs[order])


def typicality(pairs: NDArray[np.uint8]) -> NDArray[np.float64]:
    """(n,) mean cosine similarity, by token pairs, of each of n programs to all of them, rounded to 6 places.

    The least-risk choice among programs that cannot be told apart by running them (minimum Bayes risk on texts).
    """
    bits = np.unpackbits(pairs, axis=1).astype(np.float32)
    unit = bits / np.maximum(np.sqrt(bits.sum(axis=1, keepdims=True)), 1.0)
    return np.asarray(np.round((unit @ unit.mean(axis=0)).astype(np.float64), 6))


def _tree_traits(text: str) -> tuple[str, float, float]:
    tree = parse(text)
    if tree is None:
        return text, 1.0, np.nan
    documented = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Module)
    docs = [ast.get_docstring(node, clean=False) for node in ast.walk(tree) if isinstance(node, documented)]
    words = sum(len(doc.split()) for doc in docs if doc)
    return *normal_tree(tree, text), float(words) if words else np.nan


def _pairs(text: str) -> NDArray[np.uint8]:
    tokens = [zlib.crc32(token.encode("utf-8", "surrogatepass")) for token in _TOKEN.findall(text)]
    bits = np.zeros(BUCKETS, dtype=np.uint8)
    if len(tokens) > 1:
        codes = np.array(tokens, dtype=np.uint64)
        # Any fixed mixing of two hashes does; it must only be the same on every machine.
        bits[(codes[:-1] * np.uint64(31) + codes[1:]) % np.uint64(BUCKETS)] = 1
    return np.packbits(bits)
