"""N programs on M tests, as numbers: the one thing every selection strategy reads."""

import ast
import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from ucoder.core.extraction import parse
from ucoder.core.outcomes import Outcome
from ucoder.core.program_features import ProgramFeatures

Ints = NDArray[np.int32]
Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

NONE = -1
"""Code of a missing output, and of an expected value that nobody returned or that a test does not state."""

OUTCOMES = tuple(Outcome)
_CODES = {outcome: code for code, outcome in enumerate(OUTCOMES)}


def _where(*outcomes: Outcome) -> Bools:
    """A table from codes to membership, for `table[codes]`."""
    return np.isin(np.arange(len(OUTCOMES)), [_CODES[outcome] for outcome in outcomes])


_VOTES = ~_where(Outcome.INFRA_ERROR, Outcome.NONDETERMINISTIC, Outcome.UNSUPPORTED)
_COMPLETED = _where(Outcome.PASSED, Outcome.FAILED, Outcome.RETURNED)


class Written(Protocol):
    """What a test must have: its code, and how often it was written (0 is read as 1)."""

    @property
    def code(self) -> str: ...
    @property
    def count(self) -> int: ...


@dataclass(frozen=True, eq=False)
class Matrix:
    """What was seen, and nothing concluded from it. Build it with `Matrix.build`."""

    outcomes: NDArray[np.uint8]
    """(N, M) codes: positions in `OUTCOMES`."""
    outputs: Ints
    """(N, M) codes of canonical output texts, `NONE` where a cell has none. Equal text on one input = equal code."""
    texts: tuple[tuple[str, ...], ...]
    """Per input, the output texts in alphabetical order: `texts[inputs[j]][outputs[i, j]]`."""
    inputs: Ints
    """(M,) which input a test gives; tests of one call with several expected values share it."""
    expected: Ints
    """(M,) code of the output that passes the test, `NONE` where nobody passes or nothing is expected."""
    test_counts: NDArray[np.int64]
    """(M,) how often the model wrote the test."""
    log_probs: Floats | None
    """(N,) mean log-probability of a program's tokens, in nats; its perplexity is exp(-this)."""
    multiplicity: NDArray[np.int64]
    """(N,) how many samples a row stands for."""
    traits: ProgramFeatures
    """What the programs' texts show without being run."""
    program_keys: tuple[str, ...]
    """(N,) the programs' texts, for ties; empty texts where unknown."""
    test_keys: tuple[str, ...]
    """(M,) the tests' texts."""

    @classmethod
    def build(
        cls,
        outcomes: Sequence[Sequence[Outcome | str]],
        outputs: Sequence[Sequence[str | None]] | None,
        tests: Sequence[Written],
        log_probs: Sequence[float] | None = None,
        programs: Sequence[str] | None = None,
        multiplicity: Sequence[int] | None = None,
        task: str = "",
    ) -> "Matrix":
        """Encodes rows as a sandbox reports them. An empty output text means none. ValueError on a ragged matrix.

        `task` is read where programs bear no docstring; it only bears on the confidence.
        """
        n, m = len(outcomes), len(tests)
        _check_shape("outcomes", outcomes, n, m)
        _check_shape("outputs", outputs if outputs is not None else (), n if outputs is not None else 0, m)
        for name, column in (("log_probs", log_probs), ("programs", programs), ("multiplicity", multiplicity)):
            if column is not None and len(column) != n:
                raise ValueError(f"{name} must have one entry per program: {n}, not {len(column)}")
        inputs = _number(input_of(test) for test in tests)
        outputs_, texts = _intern(outputs, n, inputs)
        codes = encode(itertools.chain.from_iterable(outcomes)).reshape(n, m)
        return cls(
            outcomes=codes,
            outputs=outputs_,
            texts=texts,
            inputs=inputs,
            expected=_expected(codes == _CODES[Outcome.PASSED], outputs_),
            test_counts=np.array([max(1, test.count) for test in tests], dtype=np.int64),
            log_probs=np.array(log_probs, dtype=np.float64) if log_probs is not None else None,
            multiplicity=np.array(multiplicity if multiplicity is not None else [1] * n, dtype=np.int64),
            traits=ProgramFeatures.read(programs, task) if programs is not None else ProgramFeatures.unknown(n),
            program_keys=tuple(programs) if programs is not None else ("",) * n,
            test_keys=tuple(map(_key, tests)),
        )

    @property
    def shape(self) -> tuple[int, int]:
        """(N, M)."""
        n, m = self.outcomes.shape
        return n, m

    @cached_property
    def voting(self) -> Bools:
        """(N, M) cells that may be counted: our own errors, flaky and incomparable results are silent."""
        return np.asarray(_VOTES[self.outcomes])

    @cached_property
    def passed(self) -> Bools:
        """(N, M) tests passed."""
        return np.equal(self.outcomes, _CODES[Outcome.PASSED])

    @cached_property
    def failed(self) -> Bools:
        """(N, M) tests whose expected value was not met."""
        return np.equal(self.outcomes, _CODES[Outcome.FAILED])

    @cached_property
    def completed(self) -> Bools:
        """(N, M) calls that ended normally, whatever they returned."""
        return np.asarray(_COMPLETED[self.outcomes])

    @cached_property
    def infra(self) -> Bools:
        """(N, M) cells we failed to run."""
        return np.equal(self.outcomes, _CODES[Outcome.INFRA_ERROR])

    @cached_property
    def spoken(self) -> Ints:
        """(I, widest) number of `texts[i][code]`; equal numbers are equal texts, on different inputs too."""
        seen: dict[str, int] = {}
        numbers = np.zeros((len(self.texts), max(map(len, self.texts), default=0) or 1), dtype=np.int32)
        for row, texts in zip(numbers, self.texts, strict=True):
            row[: len(texts)] = [seen.setdefault(text, len(seen)) for text in texts]
        return numbers

    def take(self, programs: NDArray[np.int64], tests: NDArray[np.int64]) -> "Matrix":
        """The same matrix with only these programs and tests, in this order."""
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
            traits=self.traits.take(programs),
            program_keys=tuple(self.program_keys[i] for i in programs),
            test_keys=tuple(self.test_keys[j] for j in tests),
        )

    def canonical(self) -> tuple["Matrix", NDArray[np.int64], NDArray[np.int64]]:
        """The matrix in an order that depends on contents alone, with that order of programs and of tests.

        Programs: likeliest first, then those written most often, then by text, then by what they did; only equal
        ones keep the caller's order.
        Whatever is computed on this matrix, rounding and ties included, no shuffling of the caller's can change.
        """
        n, m = self.shape
        columns = [self.outcomes[:, j].tobytes() for j in range(m)] if len(set(self.test_keys)) < m else [b""] * m
        tests = sorted(range(m), key=lambda j: (self.test_keys[j], self.test_counts[j], sorted(columns[j])))
        test_order = np.array(tests, dtype=np.int64)
        likely = self.log_probs if self.log_probs is not None else np.zeros(n)
        written = np.bincount(self.traits.classes, weights=self.multiplicity) if n else np.zeros(0)
        often = written[self.traits.classes].tolist()
        did = self.outcomes[:, test_order]
        returned = self.outputs[:, test_order]

        def key(i: int) -> tuple[float, float, str, bytes, bytes]:
            return (-float(likely[i]), -often[i], self.program_keys[i], did[i].tobytes(), returned[i].tobytes())

        program_order = np.array(sorted(range(n), key=key), dtype=np.int64)
        return self.take(program_order, test_order), program_order, test_order


def encode(outcomes: Iterable[Outcome | str]) -> NDArray[np.uint8]:
    """Codes of outcomes given by member or by name. ValueError on a name that is none."""
    try:
        return np.fromiter(map(_CODES.__getitem__, outcomes), dtype=np.uint8)  # type: ignore[arg-type]
    except KeyError as error:
        raise ValueError(f"no outcome is called {error.args[0]!r}; there are {', '.join(OUTCOMES)}") from None


def decode(codes: NDArray[np.uint8]) -> list[Outcome]:
    """The outcomes behind one row of codes."""
    return [OUTCOMES[code] for code in codes]


def input_of(test: Written) -> str:
    """A text that tests of the same input share: the call that `assert CALL == VALUE` and its kin make.

    Recognised are `assert CALL`, `assert not CALL`, and one comparison by `==`, `!=` or `is` with the call left,
    or right of what is no call. Anything else is an input of its own.
    """
    tree = parse(test.code)
    if tree is None or len(tree.body) != 1:
        return _key(test)
    only = tree.body[0]
    if isinstance(only, ast.Expr):
        return ast.dump(only.value)
    if not isinstance(only, ast.Assert):
        return _key(test)
    claim = only.test.operand if isinstance(only.test, ast.UnaryOp) and isinstance(only.test.op, ast.Not) else only.test
    if isinstance(claim, ast.Compare) and len(claim.ops) == 1 and isinstance(claim.ops[0], ast.Eq | ast.NotEq | ast.Is):
        sides = claim.left, claim.comparators[0]
        claim = next((side for side in sides if isinstance(side, ast.Call)), claim)
    return ast.dump(claim) if isinstance(claim, ast.Call) else _key(test)


def _key(test: Written) -> str:
    stdin, stdout = getattr(test, "stdin", None), getattr(test, "expected_stdout", None)
    return test.code if stdin is None and stdout is None else "\0".join((test.code, stdin or "", stdout or ""))


def _number(values: Iterable[object]) -> Ints:
    """Equal values, equal numbers, in order of first appearance."""
    seen: dict[object, int] = {}
    return np.array([seen.setdefault(value, len(seen)) for value in values], dtype=np.int32)


def _check_shape(name: str, rows: Sequence[Sequence[object]], n: int, m: int) -> None:
    if len(rows) != n:
        raise ValueError(f"{name} must have one row per program: {n}, not {len(rows)}")
    for i, row in enumerate(rows):
        if len(row) != m:
            raise ValueError(f"row {i} of {name} must have one entry per test: {m}, not {len(row)}")


def _intern(
    outputs: Sequence[Sequence[str | None]] | None, n: int, inputs: Ints
) -> tuple[Ints, tuple[tuple[str, ...], ...]]:
    """Output codes per input, by alphabetical rank, so that they depend on contents and not on who came first."""
    codes = np.full((n, len(inputs)), NONE, dtype=np.int32)
    columns = list(zip(*outputs, strict=True)) if outputs else [()] * len(inputs)
    groups: list[list[int]] = [[] for _ in range(int(inputs.max(initial=-1)) + 1)]
    for j, number in enumerate(inputs):
        groups[number].append(j)
    texts = []
    for tests in groups:
        found = sorted(set().union(*(columns[j] for j in tests)) - {None, ""})
        rank: dict[str | None, int] = {text: code for code, text in enumerate(found)}
        rank[None] = rank[""] = NONE
        for j in tests:
            if columns[j]:
                codes[:, j] = [rank[text] for text in columns[j]]
        texts.append(tuple(found))
    return codes, tuple(texts)


def _expected(passed: Bools, outputs: Ints) -> Ints:
    """Per test the output of those that pass it; several spellings may be equal (1 == 1.0): the commonest."""
    expected = np.full(passed.shape[1], NONE, dtype=np.int32)
    for j in np.flatnonzero((passed & (outputs != NONE)).any(axis=0)):
        expected[j] = np.bincount(outputs[passed[:, j] & (outputs[:, j] != NONE), j]).argmax()
    return expected
