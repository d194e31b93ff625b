"""A training in pods of two processes: another node resumes from what the first saved, best weights included."""

import asyncio
import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.integration.trainer.stored_run import StoredRun

from ucoder.models.weights_probe import TRAINING_RESULT_FILE
from ucoder.runtime.settings import Settings
from ucoder.runtime.storage.artifacts import Artifacts
from ucoder.runtime.storage.store import Store

PROGRAM = """
import os
from dataclasses import replace
from ucoder.runtime.child_process import end_with_parent
from ucoder.trainer.training_pod import TrainingPod
from ucoder.trainer.training_worker import leave, run_worker

class SavingPod(TrainingPod):
    def prepare(self, group):
        return replace(super().prepare(group), save_seconds=0)

end_with_parent(os.getppid())
pod = SavingPod("r/001")
leave(run_worker(pod.prepare, pod.keep_state, pod.keep_checkpoint))
"""  # a pod that saves after each step and whose processes end together, although torchrun gives each a session


class Node:
    """A machine with a disk of its own and a shared store."""

    def __init__(self, folder: Path, store: Store) -> None:
        self._folder, self._store = folder, store

    async def train(self, die_at: int = 0) -> list[dict[str, Any]]:
        """Trains, or is killed after the step `die_at`; returns the progress that it printed."""
        self._folder.mkdir()
        program = self._folder / "pod.py"
        program.write_text(PROGRAM)
        variables = {"UCODER_STORE_URL": self._store.url, "UCODER_CACHE_DIR": str(self._folder / "cache")}
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "ucoder.trainer.torchrun", "--standalone", "--nproc-per-node=2", str(program),
            stdout=asyncio.subprocess.PIPE,
            env={**os.environ, **variables, "OMP_NUM_THREADS": "1"},
        )  # fmt: skip
        assert process.stdout is not None
        reports = []
        try:
            async for line in process.stdout:
                if line.startswith(b"{") and (report := json.loads(line).get("progress")):
                    reports.append(report)
                    if report["step"] == die_at:
                        break
            else:
                assert await process.wait() == 0
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        return reports


async def test_another_node_resumes_from_the_state_and_the_best_weights_in_the_store(
    make_settings: Callable[..., Settings], tmp_path: Path
) -> None:
    options = {"epochs": 20, "patience": 3, "learning_rate": 3e-3, "validation": range(100, 104)}
    options |= {"batch": 4, "micro_batch": 4}
    alone = Store(make_settings(store_url=f"file://{tmp_path / 'alone'}"))
    await StoredRun.create(Artifacts(alone), **options)
    straight = await Node(tmp_path / "straight", alone).train()
    done = json.loads(await alone.get(f"r/weights/001/{TRAINING_RESULT_FILE}"))
    assert done["kept_step"] < done["steps"] == len(straight) < 40, "the validation side must end it early"

    shared = Store(make_settings())
    await StoredRun.create(Artifacts(shared), **options)
    await Node(tmp_path / "first", shared).train(die_at=done["kept_step"] + 1)
    assert {key.rsplit("/", 1)[1] for key in await shared.keys("r/training")} == {"001.best", "001.state"}
    assert await alone.keys("r/training") == [], (
        "a finished training must remove its saved state, which is larger than the weights"
    )
    resumed = await Node(tmp_path / "second", shared).train()
    assert 1 < resumed[0]["step"] <= done["steps"], "it must resume, not start again"
    again = json.loads(await shared.get(f"r/weights/001/{TRAINING_RESULT_FILE}"))
    assert (again["steps"], again["kept_step"], again["ended"]) == (done["steps"], done["kept_step"], done["ended"])
    assert again["probe_log_prob"] == done["probe_log_prob"]
    weights = [await store.get("r/weights/001/model.safetensors") for store in (alone, shared)]
    assert weights[0] == weights[1]
