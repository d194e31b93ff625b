"""Known tasks are recognised in disguise, and new ones are not."""

import pytest

from ucoder.core.decontamination import ContaminationMatch, Decontamination, KnownTask

WORDS = "the sum of all the even numbers in the list, and zero if it holds none"
TASK = f'def add_even(xs: list[int], k: int = 0) -> int:\n    """Return {WORDS}.\n\n    >>> f([2])\n    2\n    """\n'
PLAIN = KnownTask(
    "mbpp", "11", "Remove first and last occurrence of a character.", "def remove_Occ(s,ch): \n  return s"
)


def index() -> Decontamination:
    return Decontamination([KnownTask("human", "7", TASK), PLAIN])


@pytest.mark.parametrize(
    ("prompt", "task", "rule"),
    [
        (TASK.replace("add_even", "g").replace("[2]", "[4]").replace("Return", "RETURN"), "7", "words"),
        (f'def h(v: int) -> int:\n    """Tell me {WORDS} at all."""\n', "7", "ngram"),
        ('def add_even(xs: List[int], k: int) -> int:\n    """The sum of even numbers in the list, zero if none."""\n',
         "7", "signature"),
        ('def remove_occ(s: str, ch: str) -> str:\n    """Remove first and last places of a character."""\n',
         "11", "signature"),
    ],
)  # fmt: skip
def test_a_known_task_is_named_with_the_rule_that_found_it(prompt: str, task: str, rule: str) -> None:
    found = index().find(prompt)
    assert found == ContaminationMatch("human" if task == "7" else "mbpp", task, rule)


@pytest.mark.parametrize(
    "prompt",
    [
        'def h(v: int) -> int:\n    """Return the product of all odd numbers."""\n',
        'def add_even(xs: list[int], k: int) -> int:\n    """Rotate by k places, keeping whatever stands first."""\n',
    ],
)
def test_a_new_problem_is_new_even_under_a_known_name(prompt: str) -> None:
    assert index().find(prompt) is None


def test_tasks_are_counted_by_benchmark() -> None:
    assert index().sizes() == {"human": 1, "mbpp": 1}
