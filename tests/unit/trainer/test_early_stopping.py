"""The steps at which the validation loss is measured, and the condition of an early stop."""

from dataclasses import replace

import pytest
from tests.unit.trainer.test_optimizer import RECIPE

from ucoder.trainer.training import best_step, ending_reason, patience_exhausted, validation_due


@pytest.mark.parametrize(("every", "steps"), [(0, [4, 8, 12]), (3, [3, 4, 6, 8, 9, 12]), (4, [4, 8, 12])])
def test_each_epoch_ends_with_a_measurement(every: int, steps: list[int]) -> None:
    assert [step for step in range(1, 13) if validation_due(step, 4, every)] == steps


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
def test_a_training_ends_early_after_so_many_measurements_without_a_new_lowest_loss(
    losses: list[float], patience: int, over: bool
) -> None:
    measured = list(enumerate(losses, 1))
    assert patience_exhausted(measured, patience) is over
    reason = ending_reason(measured, replace(RECIPE, patience=patience), 1)
    assert reason.startswith("the validation loss did not fall" if over else "all 3 epochs")


def test_the_first_of_equal_losses_is_the_best() -> None:
    assert best_step([(4, 2.0), (8, 1.0), (12, 1.0)]) == 8
