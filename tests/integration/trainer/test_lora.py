"""LoRA: which weights change, which stay, and the content of its checkpoints."""

import os
import signal
from pathlib import Path

import pytest
import safetensors.torch
import torch
from tests.integration.trainer.trainings import OPPOSITE, SEED, lora, score, trained, weights, workers

from ucoder.errors import Reject, Retry
from ucoder.models.checkpoint_folder import base_of
from ucoder.models.weights_probe import TRAINING_RESULT_FILE
from ucoder.v1.trainer_pb2 import TrainingProgress

SMALL = {"learning_rate": 1e-2, "epochs": 4}


async def test_lora_trains_adapters_and_leaves_the_weights_unchanged(tmp_path: Path) -> None:
    before = weights(SEED)
    merged, probe = await trained(tmp_path / "merged", lora=lora(), **SMALL)
    assert merged.last_loss < merged.first_loss * 0.8
    base, tuned = safetensors.torch.load(before), safetensors.torch.load(weights(tmp_path / "merged"))
    assert set(base) == set(tuned)
    changed = {name for name in base if not torch.equal(base[name], tuned[name])}
    assert changed == {name for name in base if "_proj.weight" in name}
    assert "LoRA | rank 8, alpha 16, dropout 0.1, all-linear; merged" in (tmp_path / "merged" / "README.md").read_text()

    beside, with_base = await trained(tmp_path / "adapter", lora=lora(adapter=True), **SMALL)
    assert list(beside.losses) == list(merged.losses)
    assert weights(SEED) == before
    files = {file.name for file in (tmp_path / "adapter").iterdir()}
    assert {
        "adapter_config.json",
        "adapter_model.safetensors",
        "tokenizer.json",
        "README.md",
        TRAINING_RESULT_FILE,
    } <= files
    assert "model.safetensors" not in files
    assert base_of(str(tmp_path / "adapter")) == str(SEED)
    assert with_base == pytest.approx(probe, abs=0.01)  # merged weights are rounded to bfloat16 once more
    assert score(tmp_path / "adapter") == pytest.approx(with_base, abs=1e-4)
    assert score(tmp_path / "merged") == pytest.approx(probe, abs=1e-6)
    assert abs(with_base - score(SEED)) > 0.05, "otherwise equal log-probabilities would prove nothing"


async def test_lora_killed_and_resumed_ends_with_the_same_adapters(tmp_path: Path) -> None:
    options = {"lora": lora(adapter=True), "validation": OPPOSITE, "patience": 2, "learning_rate": 1e-2, "epochs": 8}
    straight, probe = await trained(tmp_path / "straight", **options)
    assert straight.kept_step < straight.steps < 24

    def kill(progress: TrainingProgress) -> None:
        if progress.step == straight.kept_step + 2:
            os.kill(workers()[0], signal.SIGKILL)

    with pytest.raises(Retry, match="SIGKILL"):
        await trained(tmp_path / "out", on_progress=kill, save_seconds=0, **options)
    state = torch.load(tmp_path / "out.work" / "state.pt", weights_only=True)
    assert all("lora_" in name for name in state["model"])
    resumed, same = await trained(tmp_path / "out", **options)
    assert list(resumed.losses) == pytest.approx(list(straight.losses), rel=1e-6)
    assert same == probe
    ours, theirs = (tmp_path / name / "adapter_model.safetensors" for name in ("out", "straight"))
    assert ours.read_bytes() == theirs.read_bytes()


async def test_target_modules_that_a_model_does_not_have_are_named(tmp_path: Path) -> None:
    with pytest.raises(Reject, match=r"training\.lora\.targets \['nowhere'\]: Target modules"):
        await trained(tmp_path / "out", lora=lora(targets=["nowhere"]))
