"""What can be read off a program without running it, as far as selection uses it."""

import re
import zlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ucoder.core import task_features
from ucoder.core.extraction import normal_tree, parse

BUCKETS = 2048
"""Token pairs are hashed into so many buckets; a program has 20 to 400 pairs."""
_TOKEN = re.compile(r"\w+|[^\w\s]")


@dataclass(frozen=True, eq=False)
class ProgramFeatures:
    """Of N programs. Texts that do not parse have size 1 and are their own class."""

    classes: NDArray[np.int32]
    """(N,) programs with equal syntax trees share a number; numbered by first appearance."""
    nodes: NDArray[np.float64]
    """(N,) nodes of the syntax tree, docstrings aside."""
    idle: NDArray[np.bool_]
    """(N,) programs that do nothing: samples that gave up."""
    open_cases: NDArray[np.float64]
    """(N,) conditions that the task states over decisions taken, see `asked.open_cases`. NaN where no text asks."""
    echo: NDArray[np.float64]
    """(N,) share of the task's words that the program takes up, see `asked.echo`. NaN where no text asks."""
    pairs: NDArray[np.uint8]
    """(N, BUCKETS / 8) packed bits: which pairs of neighbouring tokens occur."""

    @classmethod
    def read(cls, programs: Sequence[str], task: str = "") -> "ProgramFeatures":
        """Traits of these texts; equal texts are read once. What the task asks is said by a program's own docstrings,
        or else by `task`, a skeleton or plain words."""
        number: dict[str, int] = {}
        said = task_features.said_by(task) if task else ""
        of_text: dict[str, tuple[int, float, bool, float, float, NDArray[np.uint8]]] = {}
        for text in programs:
            if text not in of_text:
                form, nodes, idle, open_cases, echo = _tree_traits(text, said)
                kind = number.setdefault(form, len(number))
                of_text[text] = (kind, nodes, idle, open_cases, echo, _pairs(text))
        found = [of_text[text] for text in programs]
        return cls(
            classes=np.array([row[0] for row in found], dtype=np.int32),
            nodes=np.array([row[1] for row in found], dtype=np.float64),
            idle=np.array([row[2] for row in found], dtype=np.bool_),
            open_cases=np.array([row[3] for row in found], dtype=np.float64),
            echo=np.array([row[4] for row in found], dtype=np.float64),
            pairs=np.array([row[5] for row in found], dtype=np.uint8).reshape(len(found), BUCKETS // 8),
        )

    @classmethod
    def unknown(cls, n: int) -> "ProgramFeatures":
        """Of n programs whose texts were not given: every one its own class, nothing to compare."""
        blank = np.zeros((n, BUCKETS // 8), dtype=np.uint8)
        unread = np.full(n, np.nan)
        return cls(np.arange(n, dtype=np.int32), np.ones(n), np.zeros(n, dtype=np.bool_), unread, unread, blank)

    def take(self, order: NDArray[np.int64]) -> "ProgramFeatures":
        """The same for these programs in this order, classes numbered anew."""
        seen: dict[int, int] = {}
        classes = [seen.setdefault(number, len(seen)) for number in self.classes[order].tolist()]
        return ProgramFeatures(
            np.array(classes, dtype=np.int32),
            self.nodes[order],
            self.idle[order],
            self.open_cases[order],
            self.echo[order],
            self.pairs[order],
        )


def typicality(pairs: NDArray[np.uint8]) -> NDArray[np.float64]:
    """(n,) mean cosine similarity, by token pairs, of each of n programs to all of them, rounded to 6 places.

    The least-risk choice among programs that cannot be told apart by running them (minimum Bayes risk on texts).
    """
    bits = np.unpackbits(pairs, axis=1).astype(np.float32)
    unit = bits / np.maximum(np.sqrt(bits.sum(axis=1, keepdims=True)), 1.0)
    return np.asarray(np.round((unit @ unit.mean(axis=0)).astype(np.float64), 6))


def _tree_traits(text: str, task: str) -> tuple[str, float, bool, float, float]:
    tree = parse(text)
    if tree is None:
        return text, 1.0, False, np.nan, np.nan
    said = task_features.said_in(tree) or task
    form, nodes = normal_tree(tree, text)  # from here on without docstrings
    if not said:
        return form, float(len(nodes)), task_features.idle(tree), np.nan, np.nan
    return (
        form,
        float(len(nodes)),
        task_features.idle(tree),
        task_features.open_cases(said, nodes),
        task_features.echo(said, nodes),
    )


def _pairs(text: str) -> NDArray[np.uint8]:
    tokens = [zlib.crc32(token.encode("utf-8", "surrogatepass")) for token in _TOKEN.findall(text)]
    bits = np.zeros(BUCKETS, dtype=np.uint8)
    if len(tokens) > 1:
        codes = np.array(tokens, dtype=np.uint64)
        # Any fixed mixing of two hashes does; it must only be the same on every machine.
        bits[(codes[:-1] * np.uint64(31) + codes[1:]) % np.uint64(BUCKETS)] = 1
    return np.packbits(bits)
