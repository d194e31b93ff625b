"""Runs one training from job to checkpoint: steps, validation, early stopping, saved states, the finished folder."""

import json
import math
import resource
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import torch

from ucoder.models.local.decoding import Decoder
from ucoder.models.local.loaded_model import LoadedModel, load_model
from ucoder.models.weights_probe import TRAINING_RESULT_FILE
from ucoder.runtime.atomic import atomic_file, atomic_folder
from ucoder.trainer.distributed import ProcessGroup
from ucoder.trainer.lora import add_adapters, merge_adapters, save_weights
from ucoder.trainer.model_card import model_card
from ucoder.trainer.optimizer import (
    FineTuning,
    TokenizedExample,
    batches,
    learning_rate,
    make_optimizer,
    steps_per_epoch,
    tokenize,
)
from ucoder.trainer.training_job import TrainingJob, TrainingRecipe
from ucoder.v1.trainer_pb2 import TrainingProgress


def validation_due(step: int, per_epoch: int, every: int) -> bool:
    """Returns whether to measure after this step: at each epoch's end, and every `every` steps unless that is 0."""
    return step % per_epoch == 0 or (every > 0 and step % every == 0)


def best_step(measured: Sequence[tuple[int, float]]) -> int:
    """Returns the step of the lowest loss, the first of equal ones."""
    return min(measured, key=lambda measurement: measurement[1])[0]


def patience_exhausted(measured: Sequence[tuple[int, float]], patience: int) -> bool:
    """Returns whether the last `patience` measurements brought no new lowest loss; never with a patience of 0."""
    if not patience or not measured:
        return False
    best = best_step(measured)
    return sum(step > best for step, _ in measured) >= patience


def ending_reason(measured: Sequence[tuple[int, float]], recipe: TrainingRecipe, kept_step: int) -> str:
    """Returns why a training ended, as its model card says it."""
    if patience_exhausted(measured, recipe.patience):
        return f"the validation loss did not fall {recipe.patience} times in a row; weights of step {kept_step} kept"
    return f"all {recipe.epochs} epochs trained"


@dataclass(slots=True)
class TrainingState:
    """The progress of a training. With weights and optimiser state it is all that a resumed training needs."""

    step: int = 0
    losses: list[float] = field(default_factory=list)
    """Loss per target token of each step."""
    targets: list[int] = field(default_factory=list)
    """Number of target tokens of each step."""
    tokens: int = 0
    """Number of tokens that passed through the model."""
    seconds: float = 0.0
    validation: list[tuple[int, float]] = field(default_factory=list)
    """Each step that was measured, and its validation loss per target token."""

    def mean_loss(self, steps: slice) -> float:
        """Returns the loss per target token over some of the steps."""
        weighted = [loss * count for loss, count in zip(self.losses[steps], self.targets[steps], strict=True)]
        return math.fsum(weighted) / sum(self.targets[steps])


class Training:
    """The training of one job in this process group."""

    def __init__(
        self,
        job: TrainingJob,
        group: ProcessGroup,
        on_progress: Callable[[TrainingProgress], None],
        on_saved: Callable[[Path], None],
    ) -> None:
        """`on_saved` gets each file that a resumed training needs. Both are called in the first process only."""
        self._job, self._group, self._on_progress, self._on_saved = job, group, on_progress, on_saved
        self._state_file, self._best_file = Path(job.work) / "state.pt", Path(job.work) / "best.pt"
        self._validation: list[TokenizedExample] = []

    def run(self) -> dict[str, Any]:
        """Trains or resumes, and writes the checkpoint; returns, in the first process, its result file's values."""
        job, base = self._job, load_model(self._job.base)
        end, limit = base.tokenizer.eos_token_id, min(job.max_tokens, base.context)
        examples, too_long = tokenize(base.tokenizer, job.examples, end, limit)
        self._validation, _ = tokenize(base.tokenizer, job.validation, end, limit, required=False)
        model = self._prepare_model(base)
        state = self._train(model, examples)
        kept_step = best_step(state.validation) if self._ends_early(state) else state.step
        if self._group.size > 1:
            sharded, model = model, self._prepare_model(load_model(job.base))
            self._group.copy_weights(sharded, model)
            if not self._group.is_first:
                return {}
        if kept_step < state.step:
            kept_step = self._load_best_weights(model)
        model = merge_adapters(model, job.lora)
        dtype = _stored_dtype(job.base)
        _cast(model, dtype)
        _cast(model, torch.float32)  # the probe measures the weights as they are stored
        probe = Decoder(replace(base, model=model.eval())).score(job.probe_text).mean_log_prob
        per_epoch = steps_per_epoch(len(examples), job.recipe)
        on_gpu = base.model.device.type == "cuda"
        device = torch.cuda.get_device_name() if on_gpu else f"cpu, {torch.get_num_threads()} thread(s)"
        values = {
            "steps": state.step, "losses": state.losses, "tokens": state.tokens, "seconds": state.seconds,
            "first_loss": state.mean_loss(slice(per_epoch)), "last_loss": state.mean_loss(slice(-per_epoch, None)),
            "validation": [{"step": step, "loss": loss} for step, loss in state.validation],
            "examples": len(examples), "too_long": too_long, "device": device,
            "validation_examples": len(self._validation), "kept_step": kept_step,
            "ended": ending_reason(state.validation, job.recipe, kept_step), "probe_log_prob": probe,
        }  # fmt: skip
        with atomic_folder(Path(job.out), durable=True) as folder:
            _cast(model, dtype)
            self._write_checkpoint(folder, base, model, values)
        return values

    def _prepare_model(self, base: LoadedModel) -> Any:
        """Returns the model to train, the same in every process: in float32, with adapters where the job has LoRA."""
        torch.manual_seed(self._job.recipe.seed)
        return add_adapters(base.model.float(), self._job.lora).train()

    def _train(self, model: Any, examples: list[TokenizedExample]) -> TrainingState:
        recipe, group, device = self._job.recipe, self._group, model.device
        if device.type == "cuda":  # the re-entrant way needs inputs with gradients, which adapters do not give
            model.gradient_checkpointing_enable(gradient_checkpointing_kwargs={"use_reentrant": False})
        group.shard(model, device)
        tuning, optimizer = FineTuning(model, recipe, group), make_optimizer(model, recipe)
        state = self._resume(model, optimizer)
        per_epoch = steps_per_epoch(len(examples), recipe)
        steps = per_epoch * recipe.epochs
        started, saved = time.perf_counter() - state.seconds, time.perf_counter()
        pause = self._job.save_seconds
        for step, batch in enumerate(batches(examples, recipe)):
            if step < state.step:
                continue
            if self._ends_early(state):
                break
            torch.manual_seed((recipe.seed << 24) + step * group.size + group.rank)  # for dropout
            state.losses.append(tuning.take_step(optimizer, batch, learning_rate(step, steps, recipe)))
            state.step = step + 1
            state.targets.append(sum(example.targets for part in batch for example in part))
            state.tokens += sum(len(example.ids) for part in batch for example in part)
            if self._validation and validation_due(state.step, per_epoch, recipe.validation_steps):
                self._validate(tuning, state, is_last=state.step == steps)
            state.seconds = time.perf_counter() - started
            self._report(state, steps)
            save_due = time.perf_counter() - saved >= pause and state.step < steps
            if group.first_decides(save_due, device):
                began = time.perf_counter()
                self._save(self._state_file, {"state": asdict(state), **group.full_state(model, optimizer)})
                saved = time.perf_counter()
                pause = max(self._job.save_seconds, 20 * (saved - began))  # at most a twentieth of the time
        return state

    def _ends_early(self, state: TrainingState) -> bool:
        return patience_exhausted(state.validation, self._job.recipe.patience)

    def _validate(self, tuning: FineTuning, state: TrainingState, is_last: bool) -> None:
        """Measures the validation loss; saves the weights if they are the best so far and may be needed later."""
        state.validation.append((state.step, tuning.validation_loss(self._validation)))
        if not is_last and self._job.recipe.patience and best_step(state.validation) == state.step:
            self._save(self._best_file, {"step": state.step, "model": self._group.full_weights(tuning.model)})

    def _load_best_weights(self, model: Any) -> int:
        """Loads the weights of the best measurement into an unsharded model; returns their step."""
        content = torch.load(self._best_file, map_location=model.device, weights_only=True)
        model.load_state_dict(content["model"], strict=self._job.lora is None)
        return int(content["step"])

    def _report(self, state: TrainingState, steps: int) -> None:
        resident = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        memory = torch.cuda.max_memory_allocated() / 2**20 if torch.cuda.is_available() else resident
        if self._group.is_first:
            self._on_progress(TrainingProgress(
                step=state.step, steps=steps, loss=state.losses[-1], tokens_per_second=state.tokens / state.seconds,
                seconds_left=state.seconds / state.step * (steps - state.step), memory_mb=memory,
                validation_loss=state.validation[-1][1] if state.validation else None,
            ))  # fmt: skip

    def _save(self, file: Path, content: dict[str, Any]) -> None:
        if self._group.is_first:
            with atomic_file(file, durable=True) as temporary:
                torch.save({"job": self._state_key, **content}, temporary)
            self._on_saved(file)

    def _resume(self, model: Any, optimizer: torch.optim.AdamW) -> TrainingState:
        """Restores the saved state of this job; without one returns a fresh state."""
        if not self._state_file.exists():
            return TrainingState()
        content = torch.load(self._state_file, map_location=model.device, weights_only=True)
        if content["job"] != self._state_key:
            return TrainingState()
        self._group.restore(model, optimizer, content)
        return TrainingState(**content["state"])

    @property
    def _state_key(self) -> list[object]:
        """The identity of a saved state: its job, and whether the optimiser state is that of a sharded model."""
        return [self._job.fingerprint, self._group.size > 1]

    def _write_checkpoint(self, folder: Path, base: LoadedModel, model: Any, values: dict[str, Any]) -> None:
        save_weights(model, folder, self._job.lora)
        base.tokenizer.save_pretrained(folder)
        (folder / "README.md").write_text(model_card(self._job, values))
        result = json.dumps({"training": self._job.fingerprint, **values}, indent=2)
        (folder / TRAINING_RESULT_FILE).write_text(result + "\n")


def _stored_dtype(base: str) -> torch.dtype:
    """Returns the type that the base's weights are stored in; checkpoints are stored alike."""
    config = json.loads((Path(base) / "config.json").read_text())
    return getattr(torch, config.get("dtype") or config.get("torch_dtype") or "float32")  # type: ignore[no-any-return]


def _cast(model: Any, dtype: torch.dtype) -> None:
    """Casts the weights alone: `model.to` would also round the rotary embedding's frequencies, which are not stored."""
    for weight in model.parameters():
        weight.data = weight.data.to(dtype)
