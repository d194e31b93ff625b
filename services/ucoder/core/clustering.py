"""Clusters of programs that behave alike, by signatures: rows of symbols made of their passes or of their outputs."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ucoder.core.matrix import MISSING, Bools, Floats, Ints, Matrix
from ucoder.core.program_features import numbered

Labels = NDArray[np.int64]
SILENT = np.int32(-2)
"""The symbol of a cell that does not vote. Smaller numbers stand for outcomes without output."""


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


def pass_signature(m: Matrix) -> Ints:
    """Returns (N, M) sigma of arXiv 2512.17385: 1 passed, 0 not passed, `SILENT` for a cell that does not vote."""
    return np.where(m.voting, m.passed.astype(np.int32), SILENT).astype(np.int32)


def output_signature(m: Matrix) -> Ints:
    """Returns (N, M) codes of outputs. A cell without output (stdin, asserts, time-out) has a code of its outcome."""
    symbols = np.where(m.outputs != MISSING, m.outputs, SILENT - 1 - m.outcomes.astype(np.int32))
    symbols[~m.voting] = SILENT
    return symbols


def outputs_by_input(m: Matrix) -> tuple[Ints, Ints]:
    """Returns `output_signature` with one column per distinct input, (N, I), and (I,) the tests of these columns.

    A test without any output counts as an input of its own, because only its passes can be observed.
    """
    without_output = (m.outputs == MISSING).all(axis=0)
    numbers = np.where(without_output, -1 - np.arange(len(m.inputs)), m.inputs)
    columns = np.sort(np.unique(numbers, return_index=True)[1]).astype(np.int32)
    return output_signature(m)[:, columns], columns


def agreeing_weight(symbols: Ints, weights: Floats) -> Floats:
    """Returns (N, I) per cell the summed weight of all programs with the same symbol, the program itself included.

    symbols: (N, I). weights: (N,). `SILENT` cells agree with no other cell and get 0.
    """
    n, columns = symbols.shape
    if n == 0 or columns == 0:
        return np.zeros((n, columns))
    width = int(symbols.max()) - int(symbols.min()) + 1
    bins = (symbols - symbols.min()).astype(np.int64) + width * np.arange(columns)
    totals = np.bincount(bins.ravel(), weights=np.repeat(weights, columns), minlength=width * columns)
    return np.where(symbols == SILENT, 0.0, totals[bins])


def cluster(m: Matrix, signature: Ints, columns: Ints | None = None) -> Labels:
    """Returns (N,) cluster numbers by first appearance: programs with equal rows of `signature` share a number.

    `columns`: the tests that the columns of `signature` stand for; None for all M.
    A program that completed no test (it does not parse, it always crashes) is alone, because equal failures are no
    agreement. A program with infrastructure errors joins the one largest cluster that agrees with all its other
    cells; where two such clusters are equally large it stays as it was observed.
    """
    ran: Bools = np.any(m.completed & m.voting, axis=1) | (m.shape[1] == 0)
    keys = (signature[i].tobytes() if has_run else i for i, has_run in enumerate(ran))
    labels = numbered(keys).astype(np.int64)
    lost = (m.infra_errors if columns is None else m.infra_errors[:, columns]) & ran[:, None]
    if lost.any():
        labels = numbered(_join_incomplete(labels, signature, lost, m.multiplicity).tolist()).astype(np.int64)
    return labels


def signature_clusters(m: Matrix, by_outputs: bool) -> Labels:
    """Returns (N,) the clusters of equal output signature, or else of equal pass signature."""
    return cluster(m, output_signature(m) if by_outputs else pass_signature(m))


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
