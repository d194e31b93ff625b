"""The contract between a training's parent and its worker: the job, the lines that the worker prints, its exit code.

The parent writes the job as a JSON file. The worker reads it and prints one JSON object a line: {"progress": {...}}
after each step, then {"done": {...}} or {"error": NAME, "text": LINE} with a class of `ucoder.errors`.
"""

import enum
import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, NamedTuple

from google.protobuf.json_format import MessageToDict, ParseDict

from ucoder.errors import Conflict, Misconfigured, NotFound, Overloaded, Reject, Retry, UcoderError, Unwanted
from ucoder.models.weights_probe import TRAINING_RESULT_FILE
from ucoder.v1 import artifacts_pb2 as pb
from ucoder.v1 import config_pb2
from ucoder.v1.trainer_pb2 import TrainingProgress

SAVE_SECONDS = 30.0
ERRORS = {error.__name__: error for error in (Retry, Overloaded, Reject, NotFound, Conflict, Unwanted, Misconfigured)}
"""The errors that a worker's line can name."""


class ExitCode(enum.IntEnum):
    """The exit codes of a worker, and of torchrun above it."""

    FINISHED = 0
    FAILED = 1
    """Another attempt may succeed."""
    REJECTED = 65
    """No other attempt can succeed (EX_DATAERR); the chart's podFailurePolicy names this code too."""


class TrainingText(NamedTuple):
    """One example: what the model is asked and what it should answer. The trainer adds the end-of-text token."""

    prompt: str
    completion: str


@dataclass(frozen=True, slots=True)
class TrainingRecipe:
    """The hyperparameters; config.proto, TrainingConfig, explains them."""

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

    @classmethod
    def of(cls, config: config_pb2.TrainingConfig, seed: int) -> "TrainingRecipe":
        """Reads the recipe from a run's configuration."""
        return cls(seed=seed, **{each.name: getattr(config, each.name) for each in fields(cls) if each.name != "seed"})


@dataclass(frozen=True, slots=True)
class Lora:
    """The settings of low-rank adapters; config.proto, LoraConfig, explains them."""

    rank: int
    alpha: float
    dropout: float
    targets: list[str]
    adapter: bool

    @classmethod
    def of(cls, config: config_pb2.LoraConfig) -> "Lora | None":
        """Reads the settings from a run's configuration; None when it trains all weights."""
        if not config.rank:
            return None
        return cls(config.rank, config.alpha, config.dropout, list(config.targets), config.adapter)


@dataclass(frozen=True, slots=True)
class TrainingJob:
    """Everything that a worker needs to know of one training."""

    base: str
    """Folder of the model that the training starts from."""
    out: str
    """Folder of the finished checkpoint; it appears complete or not at all."""
    work: str
    """Folder of the saved state that a killed training resumes from."""
    examples: list[TrainingText]
    validation: list[TrainingText]
    """Examples that are measured and never trained on."""
    recipe: TrainingRecipe
    datasets: list[str]
    """The origin of the examples, for the model card: `run/name sha256`."""
    lora: Lora | None
    """None: all weights are trained."""
    max_tokens: int
    probe_text: str
    save_seconds: float
    """Time between two saves of the state."""

    @classmethod
    def create(
        cls, config: config_pb2.TrainingConfig, examples: Sequence[TrainingText], *, base: Path, out: Path, seed: int,
        probe_text: str, validation: Sequence[TrainingText] = (), datasets: Sequence[str] = (),
        save_seconds: float = SAVE_SECONDS,
    ) -> "TrainingJob":  # fmt: skip
        """Makes the job of a run's configuration; its work folder is `out.work`.

        Raises NotFound when `base` is no model folder and Reject when there is no example.
        """
        if not (base / "config.json").is_file():
            raise NotFound(f"base model {base}: no Hugging Face model folder, it has no config.json.")
        if not examples:
            raise Reject("there is no training example.")
        return cls(
            base=str(base), out=str(out), work=str(out.with_name(out.name + ".work")), examples=list(examples),
            validation=list(validation), recipe=TrainingRecipe.of(config, seed), datasets=list(datasets),
            lora=Lora.of(config.lora), max_tokens=config.max_tokens, probe_text=probe_text, save_seconds=save_seconds,
        )  # fmt: skip

    @property
    def fingerprint(self) -> str:
        """A SHA-256 that is equal for two jobs if they make the same checkpoint."""
        ignored = ("out", "work", "save_seconds", "datasets")
        values = {name: value for name, value in asdict(self).items() if name not in ignored}
        return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()

    def write(self, path: Path) -> None:
        """Writes the job as JSON; missing parent folders are made. Raises OSError."""
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(asdict(self)))

    @classmethod
    def read(cls, path: Path) -> "TrainingJob":
        """Reads what `write` wrote."""
        values = json.loads(path.read_text())
        values["recipe"] = TrainingRecipe(**values["recipe"])
        values["lora"] = Lora(**values["lora"]) if values["lora"] else None
        for side in ("examples", "validation"):
            values[side] = [TrainingText(*texts) for texts in values[side]]
        return cls(**values)

    def finished_values(self) -> dict[str, Any] | None:
        """Returns the result of this job if its checkpoint exists, as `TrainingResult.of` reads it; else None.

        Raises Conflict when `out` holds the checkpoint of another job.
        """
        out = Path(self.out)
        if not out.exists():
            return None
        file = out / TRAINING_RESULT_FILE
        values: dict[str, Any] = json.loads(file.read_text()) if file.is_file() else {}
        if values.pop("training", None) != self.fingerprint:
            raise Conflict(f"{out} exists and was made by another training: remove it or choose another folder.")
        return values


class TrainingResult(NamedTuple):
    """The result of a finished training."""

    summary: pb.TrainingSummary
    probe_log_prob: float
    """Mean log-probability of the probe text under the weights as they are stored."""

    @classmethod
    def of(cls, values: dict[str, Any]) -> "TrainingResult":
        """Reads the result from the content of a checkpoint's result file, or of a worker's last line."""
        known = pb.TrainingSummary.DESCRIPTOR.fields_by_name
        summary = pb.TrainingSummary(**{name: value for name, value in values.items() if name in known})
        return cls(summary, float(values["probe_log_prob"]))


def encode_line(message: TrainingProgress | UcoderError | dict[str, Any]) -> str:
    """Returns the line that tells the parent of progress, of an error, or of the values of the finished training."""
    if isinstance(message, TrainingProgress):
        return json.dumps({"progress": MessageToDict(message, preserving_proto_field_name=True)})
    if isinstance(message, UcoderError):
        return json.dumps({"error": type(message).__name__, "text": str(message)})
    return json.dumps({"done": message})


def decode_line(line: str) -> TrainingProgress | TrainingResult | UcoderError | None:
    """Returns the message of a worker's line; None for any other line, which a pod's log may hold as well."""
    try:
        message = json.loads(line)
    except ValueError:
        return None
    match message:
        case {"progress": dict(values)}:
            return ParseDict(values, TrainingProgress(), ignore_unknown_fields=True)
        case {"done": dict(values)}:
            return TrainingResult.of(values)
        case {"error": str(name), "text": str(text)}:
            return ERRORS.get(name, Retry)(text)
    return None
