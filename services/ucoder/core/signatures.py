"""What a program did, as a row that can be compared: its passes (bits), or what it returned (outputs)."""

import numpy as np

from ucoder.core.matrix import NONE, Floats, Ints, Matrix

SILENT = np.int32(-2)
"""Symbol of a cell that does not vote. Numbers below it stand for outcomes without output."""


def bits(m: Matrix) -> Ints:
    """(N, M) the paper's signature, sigma in arXiv 2512.17385: 1 passed, 0 not, `SILENT` not to be counted."""
    return np.where(m.voting, m.passed.astype(np.int32), SILENT).astype(np.int32)


def outputs(m: Matrix) -> Ints:
    """(N, M) the output's code; a cell without output is its outcome (stdin tests, blocks of asserts, time-outs)."""
    seen = np.where(m.outputs != NONE, m.outputs, SILENT - 1 - m.outcomes.astype(np.int32))
    seen[~m.voting] = SILENT
    return seen


def observations(m: Matrix) -> tuple[Ints, Ints]:
    """`outputs` once per distinct input, (N, I), and (I,) the column each was taken from.

    A test without outputs is an input of its own, for its passes are all there is to see of it.
    """
    blind = (m.outputs == NONE).all(axis=0)
    numbers = np.where(blind, -1 - np.arange(len(m.inputs)), m.inputs)
    columns = np.sort(np.unique(numbers, return_index=True)[1]).astype(np.int32)
    return outputs(m)[:, columns], columns


def agreement(symbols: Ints, weights: Floats) -> Floats:
    """(N, I) in each cell the summed weight of the programs with the same symbol there, the program itself included.

    `SILENT` cells agree with nothing and get 0.
    """
    n, columns = symbols.shape
    if n == 0 or columns == 0:
        return np.zeros((n, columns))
    width = int(symbols.max()) - int(symbols.min()) + 1
    bins = (symbols - symbols.min()).astype(np.int64) + width * np.arange(columns)
    totals = np.bincount(bins.ravel(), weights=np.repeat(weights, columns), minlength=width * columns)
    return np.where(symbols == SILENT, 0.0, totals[bins])
