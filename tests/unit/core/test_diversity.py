import ast

import pytest

from ucoder.core.diversity import DiversityMeter, cyclomatic_complexity, entropy_bits, measure, tokens


def test_entropy_by_hand() -> None:
    assert entropy_bits("abcd") == 2.0
    assert entropy_bits("aab") == pytest.approx(0.918296, abs=1e-6)
    assert entropy_bits("aaaa") == 0.0
    assert entropy_bits([]) == 0.0


def test_tokens() -> None:
    assert tokens("x_1 += f('a b', 2.5)\n") == ["x_1", "+", "=", "f", "(", "'a b'", ",", "2.5", ")"]


@pytest.mark.parametrize(
    ("body", "complexity"),
    [
        ("return 1", 1),
        ("if x:\n        return 1\n    elif y:\n        return 2", 3),
        ("return a and b and c", 3),
        ("return [i for i in x for j in i]", 3),
        ("try:\n        f()\n    except A:\n        pass\n    except B:\n        pass", 3),
        ("while x:\n        x = 1 if x else 2", 3),
    ],
)
def test_complexity_counts_branches(body: str, complexity: int) -> None:
    assert cyclomatic_complexity(ast.parse(f"def f():\n    {body}\n")) == complexity


def test_a_set_of_equal_programs_has_no_diversity_of_trees() -> None:
    found = measure(["x = 1\n", "x  =  1", "# note\nx = 1", "def (:"])
    assert found.programs == 4
    assert found.distinct == 0.5
    assert found.complexity == 1.0
    assert found.lines == pytest.approx(5 / 4)


def test_without_programs_all_measures_are_zero() -> None:
    assert measure([]).programs == 0


def tree_entropy(*programs: str) -> float | None:
    meter = DiversityMeter()
    for program in programs:
        meter.add(program)
    return meter.tree_entropy_bits()


def test_tree_entropy_by_hand() -> None:
    # Module, Expr, Constant: one each
    assert tree_entropy("1") == pytest.approx(1.584963, abs=1e-6)
    assert tree_entropy("1", "2 # more of the same", "def (") == pytest.approx(1.584963, abs=1e-6)
    assert (tree_entropy("1", "x = y") or 0) > (tree_entropy("1", "2") or 0)
    assert tree_entropy("def (") is None
