"""Programs that behave alike, together."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ucoder.core.matrix import Bools, Floats, Ints, Matrix

Labels = NDArray[np.int64]


@dataclass(frozen=True)
class BehaviourCluster:
    """Programs with one behaviour. `score` is the strategy's own and comparable only within one selection."""

    members: tuple[int, ...]
    """Indices of its programs, the preferred one first."""
    score: float
    share: float
    """Samples in it over all samples, 0 to 1."""
    passed: int
    """Distinct tests that its preferred program passes."""


def cluster(m: Matrix, signature: Ints, columns: Ints | None = None) -> Labels:
    """(N,) cluster numbers by first appearance: rows of `signature` that are equal. `columns`: its tests, if not all.

    A program that never once ran to its end (it does not parse, it always crashes) is alone, for failing alike
    is not agreeing. A program of which some cells are our own failures joins the one largest cluster that agrees
    with all the rest; where that is not unique it stands by what was seen.
    """
    rows: dict[bytes, int] = {}
    ran: Bools = np.any(m.completed & m.voting, axis=1) | (m.shape[1] == 0)
    labels = np.empty(m.shape[0], dtype=np.int64)
    for i, alive in enumerate(ran):
        key = signature[i].tobytes() if alive else b"alone" + i.to_bytes(8, "little")
        labels[i] = rows.setdefault(key, len(rows))
    holes = (m.infra if columns is None else m.infra[:, columns]) & ran[:, None]
    return _renumber(_join(labels, signature, holes, m.multiplicity)) if holes.any() else labels


def weights_by_label(labels: Labels, weights: NDArray[np.int64] | Floats) -> Floats:
    """(K,) summed weights of each cluster's members."""
    return np.bincount(labels, weights=weights).astype(np.float64)


def first_members(labels: Labels) -> Labels:
    """(K,) the first program of each cluster."""
    return np.unique(labels, return_index=True)[1].astype(np.int64)


def distinct_weights(m: Matrix, labels: Labels) -> Floats:
    """(N,) 1 for the first of equal syntax trees in a cluster and 0 for its duplicates: each idea once."""
    pairs = labels * (int(m.traits.classes.max(initial=0)) + 1) + m.traits.classes
    weights = np.zeros(len(labels))
    weights[np.unique(pairs, return_index=True)[1]] = 1.0
    return weights


def _join(labels: Labels, signature: Ints, holes: Bools, weights: NDArray[np.int64]) -> Labels:
    joined = labels.copy()
    sizes = weights_by_label(labels, weights)
    firsts = first_members(labels)
    whole = firsts[~holes[firsts].any(axis=1)]
    for i in firsts[holes[firsts].any(axis=1)]:
        seen = ~holes[i]
        agreeing = whole[(signature[np.ix_(whole, seen)] == signature[i, seen]).all(axis=1)]
        if agreeing.size and seen.any():
            strength = sizes[labels[agreeing]]
            best = agreeing[strength == strength.max()]
            if best.size == 1:
                joined[labels == labels[i]] = labels[best[0]]
    return joined


def _renumber(labels: Labels) -> Labels:
    _, first, inverse = np.unique(labels, return_index=True, return_inverse=True)
    rank = np.empty(len(first), dtype=np.int64)
    rank[np.argsort(first)] = np.arange(len(first))
    return rank[inverse]
