"""What a training process is told: one JSON file, written by the parent, read by `python -m ucoder.trainer.training_worker`."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ucoder import errors
from ucoder.errors import Conflict, NotFound, Reject, Retry, UcoderError
from ucoder.models.weights_probe import TRAINING_RESULT_FILE
from ucoder.v1 import config_pb2

SAVE_SECONDS = 30.0
REJECTED = 65
"""Exit code of a training that no other attempt can mend (EX_DATAERR); the chart's podFailurePolicy names it too."""


@dataclass(frozen=True, slots=True)
class TrainingText:
    """What the model is asked, and what it should answer; the end-of-text token is the trainer's to add."""

    prompt: str
    completion: str


@dataclass(frozen=True, slots=True)
class TrainingProgress:
    """One moment of a training. `loss` is per target token; `memory_mb` the most so far, of the GPU if there is one.

    `validation_loss` is the last that was measured; `waiting` says what keeps the training from going on. Before the
    first step everything else is 0.
    """

    step: int = 0
    steps: int = 0
    loss: float = 0.0
    tokens_per_second: float = 0.0
    seconds_left: float = 0.0
    memory_mb: float = 0.0
    validation_loss: float | None = None
    waiting: str = ""


@dataclass(frozen=True, slots=True)
class TrainingRecipe:
    """See config.proto, TrainingConfig."""

    learning_rate: float
    epochs: int
    batch: int
    micro_batch: int
    warmup: float
    weight_decay: float
    max_grad_norm: float
    seed: int
    validation_steps: int = 0
    patience: int = 0


@dataclass(frozen=True, slots=True)
class Lora:
    """See config.proto, LoraConfig."""

    rank: int
    alpha: float
    dropout: float
    targets: list[str]
    adapter: bool


@dataclass(frozen=True, slots=True)
class TrainingJob:
    """One training. `work` holds what a killed one resumes from; `out` appears whole or not at all."""

    base: str
    out: str
    work: str
    examples: list[tuple[str, str]]
    """(prompt, completion) texts."""
    validation: list[tuple[str, str]]
    """Such texts that are never trained on."""
    recipe: TrainingRecipe
    datasets: list[str]
    """Where the examples come from, for the model card: `run/name sha256`."""
    lora: Lora | None
    """None: all weights are trained."""
    max_tokens: int
    probe_text: str
    save_seconds: float
    """Between two saves of the state that a killed training resumes from."""

    @property
    def fingerprint(self) -> str:
        """Equal for trainings that make the same checkpoint."""
        places = ("out", "work", "save_seconds", "datasets")
        told = {name: value for name, value in asdict(self).items() if name not in places}
        return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()

    def write(self, path: Path) -> None:
        """For `read`."""
        path.write_text(json.dumps(asdict(self)))

    @classmethod
    def read(cls, path: Path) -> "TrainingJob":
        """What `write` wrote."""
        told = json.loads(path.read_text())
        sides = {side: [(given, wanted) for given, wanted in told.pop(side)] for side in ("examples", "validation")}
        lora = told.pop("lora")
        told |= {"recipe": TrainingRecipe(**told.pop("recipe")), "lora": Lora(**lora) if lora else None, **sides}
        return cls(**told)

    def finished(self) -> dict[str, Any] | None:
        """The summary of this very training when its checkpoint is there. Raises Conflict when another one is."""
        out = Path(self.out)
        if not out.exists():
            return None
        file = out / TRAINING_RESULT_FILE
        found = json.loads(file.read_text()) if file.is_file() else {}
        if found.pop("training", None) != self.fingerprint:
            raise Conflict(f"{out} exists and was made by another training: remove it or choose another folder.")
        return found


def job_of(
    examples: Sequence[TrainingText], *, base: Path, out: Path, config: config_pb2.TrainingConfig, seed: int,
    probe_text: str, save_seconds: float = SAVE_SECONDS, validation: Sequence[TrainingText] = (),
    datasets: Sequence[str] = (),
) -> TrainingJob:  # fmt: skip
    """The job of a configuration; what it resumes from lies beside `out`. Raises NotFound (no base), Reject."""
    if not (base / "config.json").is_file():
        raise NotFound(f"base model {base}: no Hugging Face model folder, it has no config.json.")
    if not examples:
        raise Reject("there is no training example.")
    recipe = TrainingRecipe(
        config.learning_rate, config.epochs, config.batch, config.micro_batch, config.warmup, config.weight_decay,
        config.max_grad_norm, seed, config.validation_steps, config.patience,
    )  # fmt: skip
    asked = config.lora
    lora = Lora(asked.rank, asked.alpha, asked.dropout, list(asked.targets), asked.adapter) if asked.rank else None
    return TrainingJob(
        base=str(base), out=str(out), work=str(out.with_name(out.name + ".work")),
        examples=[(one.prompt, one.completion) for one in examples],
        validation=[(one.prompt, one.completion) for one in validation], recipe=recipe, lora=lora,
        datasets=list(datasets), max_tokens=config.max_tokens, probe_text=probe_text, save_seconds=save_seconds,
    )  # fmt: skip


def fault(said: dict[str, Any]) -> UcoderError:
    """The error that a worker's last line names."""
    kind = getattr(errors, str(said["error"]), Retry)
    return kind(str(said["text"])) if issubclass(kind, UcoderError) else Retry(str(said["text"]))
