"""What a training process is told: one JSON file, written by the parent, read by `python -m ucoder.trainer.worker`."""

import hashlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ucoder.models.probe import RESULT
from ucoder.runtime.errors import Conflict


@dataclass(frozen=True, slots=True)
class Recipe:
    """See config.proto, TrainingConfig."""

    learning_rate: float
    epochs: int
    batch: int
    micro_batch: int
    warmup: float
    weight_decay: float
    max_grad_norm: float
    seed: int


@dataclass(frozen=True, slots=True)
class Job:
    """One training. `work` holds what a killed one resumes from; `out` appears whole or not at all."""

    base: str
    out: str
    work: str
    examples: list[tuple[str, str]]
    """(prompt, completion) texts."""
    recipe: Recipe
    max_tokens: int
    probe_text: str
    save_seconds: float
    """Between two saves of the state that a killed training resumes from."""

    @property
    def fingerprint(self) -> str:
        """Equal for trainings that make the same checkpoint."""
        told = {name: value for name, value in asdict(self).items() if name not in ("out", "work", "save_seconds")}
        return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()

    def write(self, path: Path) -> None:
        """For `read`."""
        path.write_text(json.dumps(asdict(self)))

    @classmethod
    def read(cls, path: Path) -> "Job":
        """What `write` wrote."""
        told = json.loads(path.read_text())
        examples = [(prompt, completion) for prompt, completion in told.pop("examples")]
        return cls(recipe=Recipe(**told.pop("recipe")), examples=examples, **told)

    def finished(self) -> dict[str, Any] | None:
        """The summary of this very training when its checkpoint is there. Raises Conflict when another one is."""
        out = Path(self.out)
        if not out.exists():
            return None
        file = out / RESULT
        found = json.loads(file.read_text()) if file.is_file() else {}
        if found.pop("training", None) != self.fingerprint:
            raise Conflict(f"{out} exists and was made by another training: remove it or choose another folder.")
        return found
