"""What a training process is told: one JSON file, written by the parent, read by `python -m ucoder.trainer.worker`."""

import hashlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path

from ucoder.trainer.sft import Recipe


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
