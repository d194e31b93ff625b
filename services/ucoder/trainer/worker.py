"""A training in a process of its own: `python -m ucoder.trainer.worker JOB.json [PARENT_PID]`.

One JSON object per line on stdout: {"progress": {...}} after each step, then {"done": {...}} or
{"error": NAME, "text": LINE} with an error of runtime/errors.py. Killed and started again with the same job, it goes
on from the last saved step and ends with the same weights.
"""

import errno
import fcntl
import json
import math
import os
import resource
import shutil
import sys
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import IO, Any

import torch
from safetensors import SafetensorError
from transformers.utils import logging

from ucoder.models.checkpoint import Checkpoint, load
from ucoder.models.decoding import Decoder
from ucoder.models.lifeline import tie_to_parent
from ucoder.models.probe import RESULT
from ucoder.runtime.errors import Reject, Retry, UcoderError
from ucoder.trainer import sft
from ucoder.trainer.card import model_card
from ucoder.trainer.company import Company, joined
from ucoder.trainer.files import place_file, place_folder
from ucoder.trainer.job import REJECTED, Job

UNWRITABLE = (errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EROFS)


class Training:
    """One job."""

    def __init__(self, job: Job, out: IO[str], company: Company, kept: Callable[[Path], None]) -> None:
        self._job, self._out, self._company, self._kept = job, out, company, kept
        self._state_file = Path(job.work) / "state.pt"

    def run(self) -> dict[str, Any]:
        """Trains, or resumes; returns the summary with the probe text's log-probability, in the first process."""
        checkpoint = load(self._job.base)
        dtype = _stored_dtype(self._job.base)
        end = checkpoint.tokenizer.eos_token_id
        limit = min(self._job.max_tokens, checkpoint.context)
        examples, too_long = sft.tokenize(checkpoint.tokenizer, self._job.examples, end, limit)
        state = self._train(checkpoint, examples)
        if self._company.size > 1:
            trained, checkpoint = checkpoint.model, load(self._job.base)
            self._company.gather(trained, checkpoint.model.float())
            if not self._company.first:
                return {}
        _cast(checkpoint.model, dtype)
        _cast(checkpoint.model, torch.float32)  # what is measured are the weights as they are stored
        probe = Decoder(checkpoint).score(self._job.probe_text).mean_log_prob
        summary = {
            **_summary(state, sft.steps_per_epoch(len(examples), self._job.recipe)),
            "examples": len(examples), "too_long": too_long, "device": _device_name(checkpoint.model.device),
            "probe_log_prob": probe,
        }  # fmt: skip
        place_folder(Path(self._job.out), lambda folder: self._write(folder, checkpoint, dtype, summary))
        return summary

    def _train(self, checkpoint: Checkpoint, examples: list[sft.Tokens]) -> sft.State:
        model, recipe = checkpoint.model.float().train(), self._job.recipe
        if model.device.type == "cuda":
            model.gradient_checkpointing_enable()
        torch.manual_seed(recipe.seed)
        self._company.shard(model, model.device)
        optimizer = sft.optimiser(model, recipe)
        state = self._resume(model, optimizer)
        steps = sft.steps_per_epoch(len(examples), recipe) * recipe.epochs
        started, saved = time.perf_counter() - state.seconds, time.perf_counter()
        pause = self._job.save_seconds
        for step, batch in enumerate(sft.batches(examples, recipe)):
            if step < state.step:
                continue
            with torch.autocast("cuda", torch.bfloat16, enabled=model.device.type == "cuda"):
                loss = sft.take_step(
                    model, optimizer, batch, sft.rate(step, steps, recipe), recipe, model.device, self._company
                )
            state.step = step + 1
            state.losses.append(loss)
            state.targets.append(sum(map(sft.targets, batch)))
            state.tokens += sum(len(one.ids) for part in batch for one in part)
            state.seconds = time.perf_counter() - started
            self._report(state, steps)
            due = time.perf_counter() - saved >= pause and state.step < steps
            if self._company.agreed(due, model.device):
                began = time.perf_counter()
                self._save(model, optimizer, state)
                saved = time.perf_counter()
                pause = max(self._job.save_seconds, 20 * (saved - began))  # at most a twentieth of the time
        return state

    def _report(self, state: sft.State, steps: int) -> None:
        memory = torch.cuda.max_memory_allocated() / 2**20 if torch.cuda.is_available() else _resident_mb()
        progress = {
            "step": state.step, "steps": steps, "loss": state.losses[-1],
            "tokens_per_second": state.tokens / state.seconds,
            "seconds_left": state.seconds / state.step * (steps - state.step), "memory_mb": memory,
        }  # fmt: skip
        if self._company.first:
            say(self._out, {"progress": progress})

    def _save(self, model: Any, optimizer: torch.optim.AdamW, state: sft.State) -> None:
        content = {"job": self._key, "state": asdict(state), **self._company.state(model, optimizer)}
        if self._company.first:
            place_file(self._state_file, lambda path: torch.save(content, path))
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

    def _write(self, folder: Path, checkpoint: Checkpoint, dtype: torch.dtype, summary: dict[str, Any]) -> None:
        _cast(checkpoint.model, dtype)
        checkpoint.model.save_pretrained(folder)
        checkpoint.tokenizer.save_pretrained(folder)
        (folder / "README.md").write_text(model_card(self._job, summary))
        (folder / RESULT).write_text(json.dumps({"training": self._job.fingerprint, **summary}, indent=2) + "\n")


def say(out: IO[str], message: dict[str, Any]) -> None:
    """One line to the parent."""
    print(json.dumps(message), file=out, flush=True)


def _summary(state: sft.State, per_epoch: int) -> dict[str, Any]:
    def mean(part: slice) -> float:
        weighted = [loss * count for loss, count in zip(state.losses[part], state.targets[part], strict=True)]
        return math.fsum(weighted) / sum(state.targets[part])

    return {
        "steps": state.step, "losses": state.losses, "tokens": state.tokens, "seconds": state.seconds,
        "first_loss": mean(slice(per_epoch)), "last_loss": mean(slice(-per_epoch, None)),
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


def _take(lock: IO[str], job: Job) -> None:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise Retry(f"another process is training {job.out}.") from None


def main() -> int:
    """Runs the job of a file, tied to whoever started it."""
    tie_to_parent(int(sys.argv[2]) if len(sys.argv) > 2 else os.getppid())
    return perform(lambda company: Job.read(Path(sys.argv[1])))


def perform(
    prepare: Callable[[Company], Job],
    kept: Callable[[Path], None] = lambda state: None,
    made: Callable[[Path], None] = lambda folder: None,
) -> int:
    """Runs the job; what goes wrong in the world or in the job is one line, anything else a traceback.

    The first process tells `kept` of each saved state and `made` of the finished folder.
    """
    out = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what a library prints must not land between lines
    torch.set_num_threads(max(1, int(os.environ.get("OMP_NUM_THREADS", "1"))))
    torch.use_deterministic_algorithms(True, warn_only=True)
    setattr(torch.utils.deterministic, "fill_uninitialized_memory", False)  # noqa: B010 - untyped; it costs time
    logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    logging.set_verbosity_error()  # type: ignore[no-untyped-call]
    place = Path.cwd()
    try:
        with joined() as company:
            job = prepare(company)
            place = Path(job.work)
            with open(place / "lock", "w") as lock:
                if company.first:
                    _take(lock, job)
                done = job.finished() or Training(job, out, company, kept).run()
                if company.first:
                    made(Path(job.out))
                    say(out, {"done": done})
        return 0
    except UcoderError as error:
        wrong = error
    except torch.OutOfMemoryError as error:
        first = str(error).partition("\n")[0]
        wrong = Reject(f"out of GPU memory: lower training.micro_batch or training.max_tokens. {first}")
    except MemoryError:
        wrong = Retry("out of memory while training: lower training.micro_batch, or free some.")
    except (
        OSError,
        RuntimeError,
        SafetensorError,
    ) as error:  # torch and safetensors have their own words for a full disk
        free = shutil.disk_usage(place).free >> 20
        if getattr(error, "errno", None) not in UNWRITABLE and free > 0:
            raise
        wrong = Retry(f"cannot write {place}, {free} MB free there: {error}")
    say(out, {"error": type(wrong).__name__, "text": str(wrong)})
    return REJECTED if isinstance(wrong, Reject) else 1


if __name__ == "__main__":
    sys.exit(main())
