"""A training learns, resumes after a kill, and ends early."""

import asyncio
import json
import os
import signal
from pathlib import Path

import pytest
from tests.integration.trainer.trainings import OPPOSITE, PROBE, SEED, config, trained, weights, workers

from ucoder.errors import Conflict, Retry
from ucoder.models.local.decoding import Decoder
from ucoder.models.local.loaded_model import load_model
from ucoder.models.weights_probe import TRAINING_RESULT_FILE
from ucoder.trainer.distributed import ProcessGroup
from ucoder.trainer.optimizer import FineTuning, tokenize
from ucoder.trainer.training_job import TrainingRecipe
from ucoder.v1.trainer_pb2 import TrainingProgress


async def test_it_learns_and_writes_a_complete_checkpoint(tmp_path: Path) -> None:
    reports: list[TrainingProgress] = []
    out = tmp_path / "out"
    summary, probe = await trained(out, on_progress=reports.append)
    assert (summary.examples, summary.too_long, summary.steps, len(summary.losses)) == (24, 0, 12, 12)
    assert summary.last_loss < summary.first_loss / 2
    assert [report.step for report in reports] == list(range(1, 13))
    assert reports[-1].steps == 12
    assert reports[-1].tokens_per_second > 0
    assert reports[-1].memory_mb > 0
    files = {file.name for file in out.iterdir()}
    assert {
        "config.json",
        "model.safetensors",
        "tokenizer.json",
        "generation_config.json",
        "README.md",
        TRAINING_RESULT_FILE,
    } <= files
    assert "24 (0 left out" in (out / "README.md").read_text()
    assert json.loads((out / "config.json").read_text())["dtype"] == "bfloat16"  # as its base is stored
    assert [file.name for file in tmp_path.iterdir()] == ["out"]
    assert weights(out) != weights(SEED)

    assert Decoder(load_model(str(out))).score(PROBE).mean_log_prob == pytest.approx(probe, abs=1e-6)
    again, same = await trained(out)
    assert (same, again.losses) == (probe, summary.losses)
    with pytest.raises(Conflict, match="another training"):
        await trained(out, epochs=5)


async def test_micro_batches_change_the_memory_and_not_the_result(tmp_path: Path) -> None:
    whole, _ = await trained(tmp_path / "whole", micro_batch=8, epochs=2)
    parts, _ = await trained(tmp_path / "parts", micro_batch=3, epochs=2)
    assert list(parts.losses) == pytest.approx(list(whole.losses), rel=1e-4)


async def test_killed_and_resumed_it_ends_with_the_same_weights(tmp_path: Path) -> None:
    straight, probe = await trained(tmp_path / "straight")

    def kill(progress: TrainingProgress) -> None:
        if progress.step == 7:
            os.kill(workers()[0], signal.SIGKILL)

    out = tmp_path / "out"
    with pytest.raises(Retry, match="SIGKILL"):
        await trained(out, on_progress=kill, save_seconds=0)
    assert not out.exists()
    reports: list[TrainingProgress] = []
    resumed, same = await trained(out, on_progress=reports.append)
    assert 1 < reports[0].step <= 9  # it resumed
    assert list(resumed.losses) == pytest.approx(list(straight.losses), rel=1e-6)
    assert same == probe
    assert weights(out) == weights(tmp_path / "straight")


FLAT = {"learning_rate": 3e-3, "epochs": 12, "patience": 2}


async def test_it_ends_when_the_validation_loss_no_longer_falls_and_keeps_the_best_weights(tmp_path: Path) -> None:
    early, probe = await trained(tmp_path / "early", validation=OPPOSITE, **FLAT)
    losses = [one.loss for one in early.validation]
    lowest = losses.index(min(losses))
    assert len(losses) == lowest + 3 < 12
    assert [one.step for one in early.validation] == [3 * (n + 1) for n in range(len(losses))]
    assert (early.steps, early.kept_step) == (3 * len(losses), 3 * (lowest + 1))
    assert early.ended == f"the validation loss did not fall 2 times in a row; weights of step {early.kept_step} kept"
    card = (tmp_path / "early" / "README.md").read_text()
    assert early.ended in card
    assert f"{losses[lowest]:.4f} (step {early.kept_step})" in card
    kept = load_model(str(tmp_path / "early"))
    examples, _ = tokenize(kept.tokenizer, OPPOSITE, kept.tokenizer.eos_token_id, 128)
    recipe = TrainingRecipe.of(config(**FLAT), seed=5)
    again = FineTuning(kept.model.float(), recipe, ProcessGroup(0, 1)).validation_loss(examples)
    assert again == pytest.approx(losses[lowest], rel=0.01)  # stored in bfloat16

    def kill(progress: TrainingProgress) -> None:
        if progress.step == early.kept_step + 2:
            os.kill(workers()[0], signal.SIGKILL)

    with pytest.raises(Retry, match="SIGKILL"):
        await trained(tmp_path / "out", validation=OPPOSITE, on_progress=kill, save_seconds=0, **FLAT)
    resumed, same = await trained(tmp_path / "out", validation=OPPOSITE, **FLAT)
    assert same == probe
    assert weights(tmp_path / "out") == weights(tmp_path / "early")
    assert resumed.validation == early.validation

    flat, _ = await trained(tmp_path / "flat", validation=OPPOSITE, **{**FLAT, "patience": 0, "validation_steps": 5})
    assert (flat.steps, flat.kept_step, flat.ended) == (36, 36, "all 12 epochs trained")
    assert {one.step for one in flat.validation} == {*range(3, 37, 3), *range(5, 37, 5)}
    assert list(flat.losses[: early.steps]) == list(early.losses), "measuring must not change what is learnt"


async def test_a_cancelled_training_stops_and_leaves_no_checkpoint(tmp_path: Path) -> None:
    started = asyncio.Event()
    task = asyncio.create_task(trained(tmp_path / "out", on_progress=lambda _: started.set(), epochs=1000))
    await started.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert not workers()
    assert not (tmp_path / "out").exists()


async def test_a_second_training_of_the_same_checkpoint_is_refused(tmp_path: Path) -> None:
    started = asyncio.Event()
    first = asyncio.create_task(trained(tmp_path / "out", on_progress=lambda _: started.set(), epochs=1000))
    await started.wait()
    with pytest.raises(Retry, match="another process"):
        await trained(tmp_path / "out", epochs=1000)
    first.cancel()
    await asyncio.gather(first, return_exceptions=True)
