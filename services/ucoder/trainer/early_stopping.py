"""When a training is measured on the validation side, and when it ends early for it."""

from collections.abc import Sequence
from typing import NamedTuple

from ucoder.trainer.training_job import TrainingRecipe


class ValidationLoss(NamedTuple):
    """The validation loss per target token after a step."""

    step: int
    loss: float


def due(step: int, per_epoch: int, every: int) -> bool:
    """Whether to measure after this step: at each epoch's end, and every so many steps (0: not beside that)."""
    return step % per_epoch == 0 or (every > 0 and step % every == 0)


def best(measured: Sequence[tuple[int, float]]) -> ValidationLoss:
    """The lowest loss, the first of equals."""
    return ValidationLoss(*min(measured, key=lambda one: one[1]))


def exhausted(measured: Sequence[tuple[int, float]], patience: int) -> bool:
    """Whether the last `patience` measurements brought no new lowest loss (0: such a training never ends early)."""
    if not patience or not measured:
        return False
    lowest = best(measured)
    return sum(step > lowest.step for step, _ in measured) >= patience


def ended(measured: Sequence[tuple[int, float]], recipe: TrainingRecipe, kept_step: int) -> str:
    """Why a training ended, in words."""
    if exhausted(measured, recipe.patience):
        return f"the validation loss did not fall {recipe.patience} times in a row; weights of step {kept_step} kept"
    return f"all {recipe.epochs} epochs trained"
