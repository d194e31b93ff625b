"""Known tasks are recognised in disguise, and new ones are not."""

from ucoder.core.decontamination import Decontamination

WORDS = "the sum of all the even numbers in the list, and zero if it holds none"
TASK = f'def f(xs: list[int]) -> int:\n    """Return {WORDS}.\n\n    >>> f([2])\n    2\n    """\n'


def index() -> Decontamination:
    return Decontamination([TASK])


def test_other_names_examples_and_case_do_not_hide_it() -> None:
    assert index().is_known(TASK.replace("def f", "def g").replace("[2]", "[4]").replace("Return", "RETURN"))


def test_a_run_of_its_words_gives_it_away() -> None:
    assert index().is_known(f'def h(v: int) -> int:\n    """Tell me {WORDS} at all."""\n')


def test_a_new_problem_is_new() -> None:
    assert not index().is_known('def h(v: int) -> int:\n    """Return the product of all odd numbers."""\n')
