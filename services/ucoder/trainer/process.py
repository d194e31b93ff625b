"""A training run as a child process: it dies with us, a cancelled one is killed, a killed one resumes."""

import asyncio
import contextlib
import json
import os
import shutil
import signal
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ucoder.runtime import errors
from ucoder.runtime.errors import NotFound, Reject, Retry
from ucoder.trainer.job import Job, Recipe
from ucoder.v1 import artifacts_pb2, config_pb2

SAVE_SECONDS = 30.0
SILENCE_SECONDS = 1800.0
"""A training that says nothing for so long is taken for hung. A step of a large model takes minutes, not this."""


@dataclass(frozen=True, slots=True)
class Example:
    """What the model is asked, and what it should answer; the end-of-text token is the trainer's to add."""

    prompt: str
    completion: str


@dataclass(frozen=True, slots=True)
class Progress:
    """One moment of a training. `loss` is per target token; `memory_mb` the most so far, of the GPU if there is one."""

    step: int
    steps: int
    loss: float
    tokens_per_second: float
    seconds_left: float
    memory_mb: float


async def train(
    examples: Sequence[Example], *, base: Path, out: Path, config: config_pb2.TrainingConfig, seed: int,
    probe_text: str, on_progress: Callable[[Progress], None], save_seconds: float = SAVE_SECONDS,
) -> tuple[artifacts_pb2.TrainingSummary, float]:  # fmt: skip
    """Makes the Hugging Face folder `out`, whole or not at all; returns the summary and the probe's log-probability.

    The same arguments give the same weights on the same machine, killed and called again or not; when `out` is there
    already, made by the same arguments, nothing is done again. What resuming needs lies beside it in `out.work`.
    Raises NotFound (no base), Reject (no example fits, the loss is not finite, too little GPU memory), Conflict
    (`out` is another training's), Retry (disk full, killed, silent for half an hour).
    """
    if not (base / "config.json").is_file():
        raise NotFound(f"base model {base}: no Hugging Face model folder, it has no config.json.")
    if not examples:
        raise Reject("there is no training example.")
    work = out.with_name(out.name + ".work")
    recipe = Recipe(
        config.learning_rate, config.epochs, config.batch, config.micro_batch, config.warmup, config.weight_decay,
        config.max_grad_norm, seed,
    )  # fmt: skip
    told = Job(
        base=str(base), out=str(out), work=str(work), examples=[(one.prompt, one.completion) for one in examples],
        recipe=recipe, max_tokens=config.max_tokens, probe_text=probe_text, save_seconds=save_seconds,
    )  # fmt: skip
    try:
        await asyncio.to_thread(_write_job, work, told)
    except OSError as error:
        raise Retry(f"cannot write {work}: {error.strerror}.") from None
    done = told.finished() or await _watch(work, on_progress, config.processes)
    await asyncio.to_thread(shutil.rmtree, work, ignore_errors=True)
    probe = done.pop("probe_log_prob")
    return artifacts_pb2.TrainingSummary(**done), probe


def _write_job(work: Path, job: Job) -> None:
    work.mkdir(parents=True, exist_ok=True)
    job.write(work / "job.json")


async def _watch(work: Path, on_progress: Callable[[Progress], None], processes: int) -> dict[str, Any]:
    """Runs the child to its end. It is gone when this returns or raises, cancellation included."""
    start = ("ucoder.trainer.worker",) if processes <= 1 else ("ucoder.trainer.together", str(processes))
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", *start, str(work / "job.json"), str(os.getpid()),
        stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, limit=1 << 26,
        env={"OMP_NUM_THREADS": "1", **os.environ, "HF_HUB_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "false"},
    )  # fmt: skip
    assert process.stdout is not None
    try:
        while line := await asyncio.wait_for(process.stdout.readline(), SILENCE_SECONDS):
            message = json.loads(line)
            if "progress" in message:
                on_progress(Progress(**message["progress"]))
            elif "error" in message:
                raise getattr(errors, message["error"])(message["text"])
            else:
                return message["done"]  # type: ignore[no-any-return]
        code = await process.wait()
    except TimeoutError:
        raise Retry(f"the training in {work} said nothing for {SILENCE_SECONDS:.0f} s and was killed.") from None
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()
    why = f"by {signal.Signals(-code).name}" if code < 0 else f"with code {code}; its traceback is on stderr"
    raise Retry(f"the training in {work} ended {why}; the next attempt resumes it.")
