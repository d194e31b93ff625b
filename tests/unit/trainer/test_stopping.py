"""When a training is measured, and when it ends early."""

from dataclasses import replace

import pytest
from tests.unit.trainer.test_sft import RECIPE

from ucoder.trainer.early_stopping import ValidationLoss, best, due, ended, exhausted


@pytest.mark.parametrize(("every", "steps"), [(0, [4, 8, 12]), (3, [3, 4, 6, 8, 9, 12]), (4, [4, 8, 12])])
def test_epochs_end_with_a_measurement(every: int, steps: list[int]) -> None:
    assert [step for step in range(1, 13) if due(step, 4, every)] == steps


@pytest.mark.parametrize(
    ("losses", "patience", "over"),
    [
        ([], 1, False),
        ([3.0], 1, False),
        ([3.0, 2.0, 1.0], 1, False),
        ([3.0, 3.0], 1, True),
        ([3.0, 4.0], 2, False),
        ([3.0, 4.0, 3.5], 2, True),
        ([3.0, 4.0, 2.5, 2.6], 2, False),
        ([3.0, 4.0, 5.0, 6.0], 0, False),
    ],
)
def test_it_ends_when_nothing_new_came_for_so_long(losses: list[float], patience: int, over: bool) -> None:
    measured = list(enumerate(losses, 1))
    assert exhausted(measured, patience) is over
    told = ended(measured, replace(RECIPE, patience=patience), 1)
    assert told.startswith("the validation loss did not fall" if over else "all 3 epochs")


def test_of_equal_losses_the_first_is_best() -> None:
    assert best([(4, 2.0), (8, 1.0), (12, 1.0)]) == ValidationLoss(8, 1.0)
