"""One training from its job to its checkpoint: steps, measurements on the validation side, saved states, the folder."""

import json
import math
import resource
import time
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import torch

from ucoder.models.local.decoding import Decoder
from ucoder.models.local.loaded_model import LoadedModel, load_model
from ucoder.models.weights_probe import TRAINING_RESULT_FILE
from ucoder.runtime.atomic import atomic_file, atomic_folder
from ucoder.trainer import early_stopping, lora, sft
from ucoder.trainer.distributed import ProcessGroup
from ucoder.trainer.model_card import model_card
from ucoder.trainer.training_job import TrainingJob


class Training:
    """One job."""

    def __init__(
        self,
        job: TrainingJob,
        company: ProcessGroup,
        tell: Callable[[dict[str, Any]], None],
        kept: Callable[[Path], None],
    ) -> None:
        self._job, self._company, self._tell, self._kept = job, company, tell, kept
        self._state_file, self._best_file = Path(job.work) / "state.pt", Path(job.work) / "best.pt"
        self._validation: list[sft.TokenizedExample] = []

    def run(self) -> dict[str, Any]:
        """Trains, or resumes; returns the summary with the probe text's log-probability, in the first process."""
        checkpoint = load_model(self._job.base)
        dtype = _stored_dtype(self._job.base)
        end = checkpoint.tokenizer.eos_token_id
        limit = min(self._job.max_tokens, checkpoint.context)
        examples, too_long = sft.tokenize(checkpoint.tokenizer, self._job.examples, end, limit)
        self._validation, _ = sft.fitting(checkpoint.tokenizer, self._job.validation, end, limit)
        model = self._prepared(checkpoint)
        state = self._train(model, examples)
        best = early_stopping.best(state.validation) if self._stopped(state) else None
        if self._company.size > 1:
            trained, model = model, self._prepared(load_model(self._job.base))
            self._company.gather(trained, model)
            if not self._company.first:
                return {}
        kept_step = self._put_back(model) if best and best.step < state.step else state.step
        model = lora.finished(model, self._job.lora)
        _cast(model, dtype)
        _cast(model, torch.float32)  # what is measured are the weights as they are stored
        probe = Decoder(replace(checkpoint, model=model.eval())).score(self._job.probe_text).mean_log_prob
        summary = {
            **_summary(state, sft.steps_per_epoch(len(examples), self._job.recipe)),
            "examples": len(examples), "too_long": too_long, "device": _device_name(checkpoint.model.device),
            "validation_examples": len(self._validation), "kept_step": kept_step,
            "ended": early_stopping.ended(state.validation, self._job.recipe, kept_step), "probe_log_prob": probe,
        }  # fmt: skip
        with atomic_folder(Path(self._job.out), durable=True) as folder:
            self._write(folder, checkpoint, model, dtype, summary)
        return summary

    def _prepared(self, checkpoint: LoadedModel) -> Any:
        """The model to train, the same in every process: in float32, with adapters where LoRA is asked for."""
        torch.manual_seed(self._job.recipe.seed)
        return lora.adapted(checkpoint.model.float(), self._job.lora).train()

    def _train(self, model: Any, examples: list[sft.TokenizedExample]) -> sft.State:
        recipe = self._job.recipe
        if model.device.type == "cuda":  # not re-entrant: that way needs inputs with gradients, and adapters have none
            model.gradient_checkpointing_enable(gradient_checkpointing_kwargs={"use_reentrant": False})
        self._company.shard(model, model.device)
        optimizer = sft.optimiser(model, recipe)
        state = self._resume(model, optimizer)
        per_epoch = sft.steps_per_epoch(len(examples), recipe)
        steps = per_epoch * recipe.epochs
        started, saved = time.perf_counter() - state.seconds, time.perf_counter()
        pause = self._job.save_seconds
        for step, batch in enumerate(sft.batches(examples, recipe)):
            if step < state.step:
                continue
            if self._stopped(state):
                break
            torch.manual_seed((recipe.seed << 24) + step * self._company.size + self._company.rank)  # for dropout
            with torch.autocast("cuda", torch.bfloat16, enabled=model.device.type == "cuda"):
                loss = sft.take_step(
                    model, optimizer, batch, sft.rate(step, steps, recipe), recipe, model.device, self._company
                )
            state.step = step + 1
            state.losses.append(loss)
            state.targets.append(sum(map(sft.targets, batch)))
            state.tokens += sum(len(one.ids) for part in batch for one in part)
            if self._validation and early_stopping.due(state.step, per_epoch, recipe.validation_steps):
                self._measure(model, state, last=state.step == steps)
            state.seconds = time.perf_counter() - started
            self._report(state, steps)
            due = time.perf_counter() - saved >= pause and state.step < steps
            if self._company.agreed(due, model.device):
                began = time.perf_counter()
                self._save(model, optimizer, state)
                saved = time.perf_counter()
                pause = max(self._job.save_seconds, 20 * (saved - began))  # at most a twentieth of the time
        return state

    def _stopped(self, state: sft.State) -> bool:
        return early_stopping.exhausted(state.validation, self._job.recipe.patience)

    def _measure(self, model: Any, state: sft.State, last: bool) -> None:
        """Adds the validation loss; keeps the weights where they are the best so far and may be wanted again."""
        with torch.autocast("cuda", torch.bfloat16, enabled=model.device.type == "cuda"):
            loss = sft.measure(model, self._validation, self._job.recipe, model.device, self._company)
        state.validation.append((state.step, loss))
        if last or not self._job.recipe.patience or early_stopping.best(state.validation).step != state.step:
            return
        content = {"job": self._key, "step": state.step, "model": self._company.weights(model)}
        if self._company.first:
            with atomic_file(self._best_file, durable=True) as path:
                torch.save(content, path)
            self._kept(self._best_file)

    def _put_back(self, model: Any) -> int:
        """Gives a model that is not sharded the weights of the best measurement; returns their step."""
        content = torch.load(self._best_file, map_location=model.device, weights_only=True)
        model.load_state_dict(content["model"], strict=self._job.lora is None)
        return int(content["step"])

    def _report(self, state: sft.State, steps: int) -> None:
        memory = torch.cuda.max_memory_allocated() / 2**20 if torch.cuda.is_available() else _resident_mb()
        if self._company.first:
            self._tell({
                "step": state.step, "steps": steps, "loss": state.losses[-1],
                "tokens_per_second": state.tokens / state.seconds,
                "seconds_left": state.seconds / state.step * (steps - state.step), "memory_mb": memory,
                "validation_loss": state.validation[-1][1] if state.validation else None,
            })  # fmt: skip

    def _save(self, model: Any, optimizer: torch.optim.AdamW, state: sft.State) -> None:
        content = {"job": self._key, "state": asdict(state), **self._company.state(model, optimizer)}
        if self._company.first:
            with atomic_file(self._state_file, durable=True) as path:
                torch.save(content, path)
            self._kept(self._state_file)

    def _resume(self, model: Any, optimizer: torch.optim.AdamW) -> sft.State:
        """The saved state, put back; a fresh one when there is none for this very job."""
        if not self._state_file.exists():
            return sft.State()
        content = torch.load(self._state_file, map_location=model.device, weights_only=True)
        if content["job"] != self._key:
            return sft.State()
        self._company.restore(model, optimizer, content)
        return sft.State(**content["state"])

    @property
    def _key(self) -> list[object]:
        """A state is of one job, and of one way to lay it out: alone, or by name."""
        return [self._job.fingerprint, self._company.size > 1]

    def _write(
        self, folder: Path, checkpoint: LoadedModel, model: Any, dtype: torch.dtype, summary: dict[str, Any]
    ) -> None:
        _cast(model, dtype)
        lora.write(model, folder, self._job.lora)
        checkpoint.tokenizer.save_pretrained(folder)
        (folder / "README.md").write_text(model_card(self._job, summary))
        (folder / TRAINING_RESULT_FILE).write_text(
            json.dumps({"training": self._job.fingerprint, **summary}, indent=2) + "\n"
        )


def _summary(state: sft.State, per_epoch: int) -> dict[str, Any]:
    def mean(part: slice) -> float:
        weighted = [loss * count for loss, count in zip(state.losses[part], state.targets[part], strict=True)]
        return math.fsum(weighted) / sum(state.targets[part])

    return {
        "steps": state.step, "losses": state.losses, "tokens": state.tokens, "seconds": state.seconds,
        "first_loss": mean(slice(per_epoch)), "last_loss": mean(slice(-per_epoch, None)),
        "validation": [{"step": step, "loss": loss} for step, loss in state.validation],
    }  # fmt: skip


def _stored_dtype(base: str) -> torch.dtype:
    """What the base's weights are stored as; checkpoints are stored alike."""
    config = json.loads((Path(base) / "config.json").read_text())
    return getattr(torch, config.get("dtype") or config.get("torch_dtype") or "float32")  # type: ignore[no-any-return]


def _cast(model: Any, dtype: torch.dtype) -> None:
    """Weights only: `model.to` would round the rotary embedding's frequencies as well, which are never stored."""
    for weight in model.parameters():
        weight.data = weight.data.to(dtype)


def _device_name(device: torch.device) -> str:
    return torch.cuda.get_device_name(device) if device.type == "cuda" else f"cpu, {torch.get_num_threads()} thread(s)"


def _resident_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
