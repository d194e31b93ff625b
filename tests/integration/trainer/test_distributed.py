"""Two processes (FSDP2 under torchrun, gloo) train as one process does, whether they are killed and resumed or not."""

import os
import signal
from pathlib import Path
from typing import Any

import pytest
from tests.integration.trainer.trainings import OPPOSITE, lora, trained

from ucoder.errors import Retry
from ucoder.v1.trainer_pb2 import TrainingProgress

FULL = {"learning_rate": 3e-3}
ADAPTER = {"learning_rate": 1e-2, "lora": lora(dropout=0.0, adapter=True)}


@pytest.mark.parametrize("weights", [FULL, ADAPTER], ids=["full", "lora"])
async def test_two_processes_killed_and_resumed_learn_what_one_learns(tmp_path: Path, weights: dict[str, Any]) -> None:
    options = {"epochs": 8, "micro_batch": 3, "validation": OPPOSITE, "patience": 1, **weights}
    alone, probe = await trained(tmp_path / "alone", **options)
    assert alone.kept_step < alone.steps < 24, "the validation side must end it early"

    def kill(progress: TrainingProgress) -> None:
        if progress.step == 4:
            os.kill(torchrun_process(), signal.SIGKILL)

    with pytest.raises(Retry, match="SIGKILL"):
        await trained(tmp_path / "out", processes=2, on_progress=kill, save_seconds=0, **options)
    assert not (tmp_path / "out").exists()
    reports: list[TrainingProgress] = []
    resumed, end = await trained(tmp_path / "out", processes=2, on_progress=reports.append, **options)
    assert reports[0].step > 1
    assert list(resumed.losses) == pytest.approx(list(alone.losses), rel=1e-4)
    assert [one.loss for one in resumed.validation] == pytest.approx([one.loss for one in alone.validation], rel=1e-3)
    assert (resumed.steps, resumed.kept_step, resumed.ended) == (alone.steps, alone.kept_step, alone.ended)
    assert end == pytest.approx(probe, abs=1e-3)
    assert {file.name for file in (tmp_path / "out").iterdir()} == {
        file.name for file in (tmp_path / "alone").iterdir()
    }


def torchrun_process() -> int:
    """Returns the process id of torchrun itself."""
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            words = (folder / "cmdline").read_bytes().split(b"\0")
            parent = int((folder / "stat").read_text().rsplit(")", 1)[1].split()[1])
        except OSError:
            continue
        if b"ucoder.trainer.torchrun" in words and parent == os.getpid():
            return int(folder.name)
    raise AssertionError("no torchrun process")
