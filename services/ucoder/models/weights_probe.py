"""The probe text: the trainer and the model server must agree on its log-probability, or different weights answer."""

import json
from pathlib import Path
from typing import Any

from ucoder.errors import NotFound, Retry
from ucoder.runtime.storage.store import Store

PROBE_TEXT = "def add(a: int, b: int) -> int:\n    return a + b\n"
TOLERANCE = 0.05
"""Of the mean log-probability. Servers differ in precision by less, other weights by far more."""
TRAINING_RESULT_FILE = "ucoder_training.json"
"""In a trained checkpoint's folder: what the training did, and `probe_log_prob`."""


async def trained_log_prob(model: str, store: Store | None = None) -> float | None:
    """What the trainer measured of a checkpoint (a folder, or `store:PREFIX`); None for weights not trained here."""
    try:
        if model.startswith("store:"):
            text = (await store.get_of(model.removeprefix("store:"), TRAINING_RESULT_FILE)).decode() if store else "{}"
        else:
            text = (Path(model) / TRAINING_RESULT_FILE).read_text()
        told: dict[str, Any] = json.loads(text)
    except (OSError, NotFound):
        return None
    except ValueError:
        raise Retry(f"model {model}: {TRAINING_RESULT_FILE} is damaged.") from None
    found = told.get("probe_log_prob")
    return None if found is None else float(found)


def check_log_prob(model: str, found: float, expected: float | None) -> None:
    """Raises Retry when the probe's log-probability is not the expected one."""
    if expected is not None and abs(found - expected) > TOLERANCE:
        raise Retry(
            f"{model} is not what answers: its probe text scores {found:.3f}, the trainer measured {expected:.3f}."
        )
