"""Features that are read from program texts."""

import numpy as np
import pytest

from ucoder.core.extraction import normal_tree, parse
from ucoder.core.program_features import ProgramFeatures, does_nothing, typicality


def test_equal_trees_share_a_class() -> None:
    features = ProgramFeatures.read(["b=1", "a=1", "b = 1  # one", "def (", "def ("])
    assert features.classes.tolist() == [0, 1, 0, 2, 2]


def test_docstrings_are_task_text_and_no_nodes() -> None:
    plain = ProgramFeatures.read(["def f(x):\n    return x\n"])
    documented = ProgramFeatures.read(['def f(x):\n    """Return it,\n\n    unchanged."""\n    return x\n'])
    assert documented.nodes.tolist() == plain.nodes.tolist()
    assert documented.word_coverage.tolist() == [0.0]
    assert np.isnan(plain.word_coverage).all()
    assert np.isnan(ProgramFeatures.read(["def f(:"], task="Return it.").condition_gap).all()


def test_what_does_not_parse_has_the_least_size() -> None:
    assert ProgramFeatures.read(["def f(:", ""]).nodes.tolist() == [1.0, 1.0]


def test_the_odd_one_out_is_the_least_typical() -> None:
    texts = ["return sum(x) / len(x)", "return sum(x) / len(x)  ", "return sum(x) // len(x)", "while True: pass"]
    found = typicality(ProgramFeatures.read(texts).token_pairs)
    assert found.argmin() == 3
    assert found[0] == found[1] == found.max()


def test_one_program_alone_is_typical() -> None:
    assert typicality(ProgramFeatures.read(["x = 1"]).token_pairs).tolist() == [1.0]
    assert typicality(ProgramFeatures.read([""]).token_pairs).tolist() == [0.0]


def test_similarity_by_hand() -> None:
    """Pairs ab, bc against ab, bd: one of two shared, so the cosine is 1/2 and the mean with itself 3/4."""
    assert typicality(ProgramFeatures.read(["a b c", "a b d"]).token_pairs).tolist() == pytest.approx([0.75, 0.75])


def test_unknown_programs_are_all_different_and_alike() -> None:
    features = ProgramFeatures.unknown(3)
    assert features.classes.tolist() == [0, 1, 2]
    assert set(typicality(features.token_pairs).tolist()) == {0.0}
    assert features.take(np.array([2, 0])).classes.tolist() == [0, 1]


@pytest.mark.parametrize(
    ("program", "found"),
    [
        ("def f(x):\n    pass", True),
        ('def f(x):\n    """Later."""', True),
        ("def f(x):\n    ...\n    # return x", True),
        ("import math\ndef g(x):\n    return x\ndef f(x):\n    import os", True),
        ("class F:\n    def f(self):\n        pass", True),
        ("import sys", True),
        ("def f(x):\n    return None", False),
        ("def f(x):\n    x.sort()", False),
        ("print(input())", False),
    ],
)
def test_a_program_that_gives_up_does_nothing(program: str, found: bool) -> None:
    tree = parse(program)
    assert tree is not None
    normal_tree(tree, program)  # takes the docstrings out
    assert does_nothing(tree) is found
