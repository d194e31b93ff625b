"""Proves which weights a model server serves: a fixed probe text must score there as it did for the trainer."""

import json
from typing import Any

from ucoder.errors import NotFound, Retry
from ucoder.runtime.storage.store import Store
from ucoder.runtime.storage.weights_reference import WeightsReference

PROBE_TEXT = "def add(a: int, b: int) -> int:\n    return a + b\n"
TOLERANCE = 0.05
"""Allowed difference of the mean log-probability. Numeric precision causes less, other weights cause far more."""
TRAINING_RESULT_FILE = "ucoder_training.json"
"""The file in a trained checkpoint's folder with the training's summary and its `probe_log_prob`."""


async def trained_log_prob(model: str, store: Store | None = None) -> float | None:
    """Returns the probe's log-probability as a checkpoint's trainer measured it; None for weights not trained here.

    Without a `store`, nothing is known about stored checkpoints. Raises Retry when the training result is damaged.
    """
    try:
        result: dict[str, Any] = json.loads(await WeightsReference.parse(model).read(store, TRAINING_RESULT_FILE))
    except (OSError, NotFound):
        return None
    except ValueError:
        raise Retry(f"model {model}: {TRAINING_RESULT_FILE} is damaged.") from None
    log_prob = result.get("probe_log_prob")
    return None if log_prob is None else float(log_prob)


def check_log_prob(model: str, measured: float, expected: float | None) -> None:
    """Raises Retry when the probe's measured log-probability is not the expected one, where one is known."""
    if expected is not None and abs(measured - expected) > TOLERANCE:
        raise Retry(
            f"the server does not serve the weights of {model}: its probe text scores {measured:.3f}, the trainer "
            f"measured {expected:.3f}."
        )
