"""Clusters of programs that behave alike."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ucoder.core.matrix import Bools, Floats, Ints, Matrix

Labels = NDArray[np.int64]


@dataclass(frozen=True)
class BehaviourCluster:
    """The programs with one behaviour. Scores are comparable only within one selection of one strategy."""

    members: tuple[int, ...]
    """Indices of its programs, the preferred one first."""
    score: float
    share: float
    """Samples in the cluster over all samples, 0 to 1."""
    passed: int
    """Number of distinct tests that its preferred program passes."""


def cluster(m: Matrix, signature: Ints, columns: Ints | None = None) -> Labels:
    """Returns (N,) cluster numbers by first appearance: programs with equal rows of `signature` share a number.

    `columns`: the tests that the columns of `signature` stand for; None for all M.
    A program that completed no test (it does not parse, it always crashes) is alone, because equal failures are no
    agreement. A program with infrastructure errors joins the one largest cluster that agrees with all its other
    cells; where two such clusters are equally large it stays as it was observed.
    """
    numbers: dict[bytes, int] = {}
    ran: Bools = np.any(m.completed & m.voting, axis=1) | (m.shape[1] == 0)
    labels = np.empty(m.shape[0], dtype=np.int64)
    for i, has_run in enumerate(ran):
        key = signature[i].tobytes() if has_run else b"alone" + i.to_bytes(8, "little")
        labels[i] = numbers.setdefault(key, len(numbers))
    lost = (m.infra_errors if columns is None else m.infra_errors[:, columns]) & ran[:, None]
    return _renumber(_join_incomplete(labels, signature, lost, m.multiplicity)) if lost.any() else labels


def weights_by_label(labels: Labels, weights: NDArray[np.int64] | Floats) -> Floats:
    """Returns (K,) the summed weights of each cluster's members."""
    return np.bincount(labels, weights=weights).astype(np.float64)


def first_members(labels: Labels) -> Labels:
    """Returns (K,) the index of the first program of each cluster."""
    return np.unique(labels, return_index=True)[1].astype(np.int64)


def distinct_weights(m: Matrix, labels: Labels) -> Floats:
    """Returns (N,) 1 for the first of equal syntax trees in a cluster and 0 for its duplicates."""
    pairs = labels * (int(m.features.classes.max(initial=0)) + 1) + m.features.classes
    weights = np.zeros(len(labels))
    weights[np.unique(pairs, return_index=True)[1]] = 1.0
    return weights


def _join_incomplete(labels: Labels, signature: Ints, lost: Bools, weights: NDArray[np.int64]) -> Labels:
    """Returns the labels after each cluster with lost cells (N, columns) has joined its largest agreeing cluster."""
    joined = labels.copy()
    sizes = weights_by_label(labels, weights)
    firsts = first_members(labels)
    complete = firsts[~lost[firsts].any(axis=1)]
    for i in firsts[lost[firsts].any(axis=1)]:
        observed = ~lost[i]
        agreeing = complete[(signature[np.ix_(complete, observed)] == signature[i, observed]).all(axis=1)]
        if agreeing.size and observed.any():
            agreeing_sizes = sizes[labels[agreeing]]
            largest = agreeing[agreeing_sizes == agreeing_sizes.max()]
            if largest.size == 1:
                joined[labels == labels[i]] = labels[largest[0]]
    return joined


def _renumber(labels: Labels) -> Labels:
    """Returns the labels numbered by first appearance."""
    _, first, inverse = np.unique(labels, return_index=True, return_inverse=True)
    rank = np.empty(len(first), dtype=np.int64)
    rank[np.argsort(first)] = np.arange(len(first))
    return rank[inverse]
