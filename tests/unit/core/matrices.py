"""Small matrices drawn as texts, and a hypothesis strategy for arbitrary ones."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from hypothesis import strategies as st

from ucoder.core.matrix import Matrix
from ucoder.core.outcomes import Outcome

LETTERS = {"P": "passed", "F": "failed", "X": "exception", "T": "timeout_cpu", "I": "infra_error", "R": "returned",
           "N": "nondeterministic", "U": "unsupported"}  # fmt: skip


@dataclass(frozen=True)
class Test:
    __test__ = False
    code: str
    count: int = 1
    stdin: str | None = None
    expected_stdout: str | None = None


def written_tests(m: int, counts: Sequence[int] | None = None) -> list[Test]:
    return [Test(f"assert f({j}) == {j}", counts[j] if counts else 1) for j in range(m)]


def matrix_of_letters(rows: Sequence[str], counts: Sequence[int] | None = None, **more: Any) -> Matrix:
    """Builds a matrix from one string per program, one letter per test, e.g. `matrix_of_letters(["PPF", "PXT"])`.

    Without `outputs` a call that passes test j returns j, and one that fails returns "other".
    """
    outcomes = [[LETTERS[letter] for letter in row] for row in rows]
    outputs = more.pop("outputs", None) or [
        [{"P": str(j), "F": "other", "R": "other"}.get(letter) for j, letter in enumerate(row)] for row in rows
    ]
    return Matrix.build(outcomes, outputs, written_tests(len(rows[0]) if rows else 0, counts), **more)


@st.composite
def matrix_arguments(draw: st.DrawFn, max_programs: int = 9, max_tests: int = 6) -> dict[str, Any]:
    """Draws arguments of `Matrix.build` with repeats, failures of every kind, and shared inputs."""
    n, m = draw(st.integers(1, max_programs)), draw(st.integers(0, max_tests))
    cell = st.tuples(st.sampled_from(list(Outcome)), st.sampled_from([None, "1", "2", "'a'"]))
    row = st.lists(cell, min_size=m, max_size=m)
    kinds = draw(st.lists(row, min_size=1, max_size=4))
    rows = [draw(st.sampled_from(kinds)) for _ in range(n)]
    codes = draw(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 3)), min_size=m, max_size=m, unique=True))
    return {
        "outcomes": [[outcome for outcome, _ in row] for row in rows],
        "outputs": [[text for _, text in row] for row in rows],
        "tests": [Test(f"assert f({a}) == {b}", draw(st.integers(0, 4))) for a, b in codes],
        "log_probs": [draw(st.sampled_from([-0.1, -0.5, -2.0])) for _ in rows],
        "programs": [f"def f(x):\n    return {i}\n" for i in range(n)],
    }
