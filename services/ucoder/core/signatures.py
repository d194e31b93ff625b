"""Signatures: the behaviour of a program as a row of symbols, made of its passes or of its outputs."""

import numpy as np

from ucoder.core.matrix import MISSING, Floats, Ints, Matrix

SILENT = np.int32(-2)
"""The symbol of a cell that does not vote. Smaller numbers stand for outcomes without output."""


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
