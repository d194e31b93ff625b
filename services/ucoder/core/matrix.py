"""The matrix of N programs x M tests as numbers: the one input of every selection strategy."""

import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from ucoder.core.outcomes import Outcome
from ucoder.core.program_features import ProgramFeatures, numbered
from ucoder.core.test_plans import WrittenTest, input_key, key_of_test

Ints = NDArray[np.int32]
Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

MISSING = -1
"""The code of a missing output, and of an expected value that no program returned or that a test does not state."""

OUTCOMES = tuple(Outcome)
_CODES = {outcome: code for code, outcome in enumerate(OUTCOMES)}


def _membership(*outcomes: Outcome) -> Bools:
    """Returns a table (one entry per outcome code) of which codes are among `outcomes`, for `table[codes]`."""
    return np.isin(np.arange(len(OUTCOMES)), [_CODES[outcome] for outcome in outcomes])


_VOTES = ~_membership(Outcome.INFRA_ERROR, Outcome.NONDETERMINISTIC, Outcome.UNSUPPORTED, Outcome.UNCONFIRMED)
_COMPLETED = _membership(Outcome.PASSED, Outcome.FAILED, Outcome.RETURNED)


@dataclass(frozen=True, eq=False)
class Matrix:
    """The outcomes and outputs that were observed, without any conclusion. `Matrix.build` makes one."""

    outcomes: NDArray[np.uint8]
    """(N, M) codes: positions in `OUTCOMES`."""
    outputs: Ints
    """(N, M) codes of canonical output texts, `MISSING` where a cell has none. Per input, equal text = equal code."""
    texts: tuple[tuple[str, ...], ...]
    """The output texts of each input in alphabetical order: `texts[inputs[j]][outputs[i, j]]`."""
    inputs: Ints
    """(M,) number of the input that a test gives. Tests of one call with several expected values share it."""
    expected: Ints
    """(M,) code of the output that passes the test, `MISSING` where no program passes or no value is expected."""
    test_counts: NDArray[np.int64]
    """(M,) how often the model wrote the test."""
    log_probs: Floats | None
    """(N,) mean log-probability of a program's tokens, in nats. The perplexity of a program is exp(-this)."""
    multiplicity: NDArray[np.int64]
    """(N,) number of samples that a row stands for."""
    features: ProgramFeatures
    """The features of the programs' texts, read without running them."""
    program_keys: tuple[str, ...]
    """(N,) texts of the programs, which break ties. Empty texts where they are unknown."""
    test_keys: tuple[str, ...]
    """(M,) texts of the tests."""

    @classmethod
    def build(
        cls,
        outcomes: Sequence[Sequence[Outcome | str]],
        outputs: Sequence[Sequence[str | None]] | None,
        tests: Sequence[WrittenTest],
        log_probs: Sequence[float] | None = None,
        programs: Sequence[str] | None = None,
        multiplicity: Sequence[int] | None = None,
        task: str = "",
    ) -> "Matrix":
        """Encodes N rows of M cells as the sandbox reports them. An empty output text counts as no output.

        `task`, the task's text, is read where a program has no docstring. It changes the confidence only.
        Raises ValueError when rows or columns have different lengths, or an outcome has no such name.
        """
        n, m = len(outcomes), len(tests)
        _check_shape("outcomes", outcomes, n, m)
        _check_shape("outputs", outputs if outputs is not None else (), n if outputs is not None else 0, m)
        for name, column in (("log_probs", log_probs), ("programs", programs), ("multiplicity", multiplicity)):
            if column is not None and len(column) != n:
                raise ValueError(f"{name} must have one entry per program: {n}, not {len(column)}")
        inputs = numbered(input_key(test) for test in tests)
        output_codes, texts = _encode_outputs(outputs, n, inputs)
        codes = encode(itertools.chain.from_iterable(outcomes)).reshape(n, m)
        return cls(
            outcomes=codes,
            outputs=output_codes,
            texts=texts,
            inputs=inputs,
            expected=_expected_outputs(codes == _CODES[Outcome.PASSED], output_codes),
            test_counts=np.array([max(1, test.count) for test in tests], dtype=np.int64),
            log_probs=np.array(log_probs, dtype=np.float64) if log_probs is not None else None,
            multiplicity=np.array(multiplicity if multiplicity is not None else [1] * n, dtype=np.int64),
            features=ProgramFeatures.read(programs, task) if programs is not None else ProgramFeatures.unknown(n),
            program_keys=tuple(programs) if programs is not None else ("",) * n,
            test_keys=tuple(map(key_of_test, tests)),
        )

    @property
    def shape(self) -> tuple[int, int]:
        """The numbers of programs and tests: (N, M)."""
        n, m = self.outcomes.shape
        return n, m

    @cached_property
    def voting(self) -> Bools:
        """(N, M) cells that may be counted. Our own errors, flaky results and incomparable ones may not."""
        return np.asarray(_VOTES[self.outcomes])

    @cached_property
    def passed(self) -> Bools:
        """(N, M) tests passed."""
        return np.equal(self.outcomes, _CODES[Outcome.PASSED])

    @cached_property
    def failed(self) -> Bools:
        """(N, M) calls that returned another value than the expected one."""
        return np.equal(self.outcomes, _CODES[Outcome.FAILED])

    @cached_property
    def completed(self) -> Bools:
        """(N, M) calls that ended normally, whatever they returned."""
        return np.asarray(_COMPLETED[self.outcomes])

    @cached_property
    def infra_errors(self) -> Bools:
        """(N, M) cells that the sandbox failed to run."""
        return np.equal(self.outcomes, _CODES[Outcome.INFRA_ERROR])

    @cached_property
    def text_numbers(self) -> Ints:
        """(I inputs, most texts of an input) number of `texts[i][code]`. Equal texts of two inputs have one number."""
        seen: dict[str, int] = {}
        numbers = np.zeros((len(self.texts), max(map(len, self.texts), default=0) or 1), dtype=np.int32)
        for row, texts in zip(numbers, self.texts, strict=True):
            row[: len(texts)] = [seen.setdefault(text, len(seen)) for text in texts]
        return numbers

    def take(self, programs: NDArray[np.int64], tests: NDArray[np.int64]) -> "Matrix":
        """Returns the matrix of only these programs and tests (indices), in this order."""
        cells = np.ix_(programs, tests)
        return replace(
            self,
            outcomes=self.outcomes[cells],
            outputs=self.outputs[cells],
            inputs=self.inputs[tests],
            expected=self.expected[tests],
            test_counts=self.test_counts[tests],
            log_probs=None if self.log_probs is None else self.log_probs[programs],
            multiplicity=self.multiplicity[programs],
            features=self.features.take(programs),
            program_keys=tuple(self.program_keys[i] for i in programs),
            test_keys=tuple(self.test_keys[j] for j in tests),
        )

    def canonical(self) -> tuple["Matrix", NDArray[np.int64], NDArray[np.int64]]:
        """Returns the matrix in an order that depends on its contents only, and that order: (N,) programs, (M,) tests.

        Programs are ordered by likelihood, then by how often they were written, then by text, then by outcomes and
        outputs. Only equal programs keep the caller's order. So no shuffling by the caller can change a result that
        is computed on this matrix, including its rounding and its ties.
        """
        n, m = self.shape
        columns = [self.outcomes[:, j].tobytes() for j in range(m)] if len(set(self.test_keys)) < m else [b""] * m
        tests = sorted(range(m), key=lambda j: (self.test_keys[j], self.test_counts[j], sorted(columns[j])))
        test_order = np.array(tests, dtype=np.int64)
        log_probs = self.log_probs if self.log_probs is not None else np.zeros(n)
        samples = np.bincount(self.features.classes, weights=self.multiplicity) if n else np.zeros(0)
        frequency = samples[self.features.classes].tolist()
        outcomes, outputs = self.outcomes[:, test_order], self.outputs[:, test_order]

        def key(i: int) -> tuple[float, float, str, bytes, bytes]:
            behaviour = outcomes[i].tobytes(), outputs[i].tobytes()
            return (-float(log_probs[i]), -frequency[i], self.program_keys[i], *behaviour)

        program_order = np.array(sorted(range(n), key=key), dtype=np.int64)
        return self.take(program_order, test_order), program_order, test_order


def encode(outcomes: Iterable[Outcome | str]) -> NDArray[np.uint8]:
    """Returns the codes of outcomes, given by member or by name. Raises ValueError on an unknown name."""
    try:
        return np.fromiter(map(_CODES.__getitem__, outcomes), dtype=np.uint8)  # type: ignore[arg-type]
    except KeyError as error:
        raise ValueError(f"no outcome is called {error.args[0]!r}; there are {', '.join(OUTCOMES)}") from None


def _check_shape(name: str, rows: Sequence[Sequence[object]], n: int, m: int) -> None:
    if len(rows) != n:
        raise ValueError(f"{name} must have one row per program: {n}, not {len(rows)}")
    for i, row in enumerate(rows):
        if len(row) != m:
            raise ValueError(f"row {i} of {name} must have one entry per test: {m}, not {len(row)}")


def _encode_outputs(
    outputs: Sequence[Sequence[str | None]] | None, n: int, inputs: Ints
) -> tuple[Ints, tuple[tuple[str, ...], ...]]:
    """Returns (N, M) output codes and the texts of each input.

    A code is the alphabetical rank of a text among the texts of its input, so it does not depend on the order of rows.
    """
    codes = np.full((n, len(inputs)), MISSING, dtype=np.int32)
    columns = list(zip(*outputs, strict=True)) if outputs else [()] * len(inputs)
    tests_of_input: list[list[int]] = [[] for _ in range(int(inputs.max(initial=-1)) + 1)]
    for j, number in enumerate(inputs):
        tests_of_input[number].append(j)
    texts = []
    for tests in tests_of_input:
        distinct = sorted(set().union(*(columns[j] for j in tests)) - {None, ""})
        rank: dict[str | None, int] = {text: code for code, text in enumerate(distinct)}
        rank[None] = rank[""] = MISSING
        for j in tests:
            if columns[j]:
                codes[:, j] = [rank[text] for text in columns[j]]
        texts.append(tuple(distinct))
    return codes, tuple(texts)


def _expected_outputs(passed: Bools, outputs: Ints) -> Ints:
    """Returns (M,) the most common output of the programs that pass a test: several texts may be equal (1 == 1.0)."""
    expected = np.full(passed.shape[1], MISSING, dtype=np.int32)
    for j in np.flatnonzero((passed & (outputs != MISSING)).any(axis=0)):
        expected[j] = np.bincount(outputs[passed[:, j] & (outputs[:, j] != MISSING), j]).argmax()
    return expected
