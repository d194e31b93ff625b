"""A training in pods: what one node saved another goes on from, best weights included; two processes on each."""

import asyncio
import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.integration.trainer.ground import Ground

from ucoder.runtime.settings import Settings
from ucoder.runtime.storage.artifacts import Artifacts
from ucoder.runtime.storage.store import Store

PROGRAM = """
import os
from dataclasses import replace
from ucoder.models.lifeline import tie_to_parent
from ucoder.trainer.pod import Pod
from ucoder.trainer.worker import leave, perform

tie_to_parent(os.getppid())
pod = Pod("r/001")
leave(perform(lambda company: replace(pod.prepare(company), save_seconds=0), pod.kept, pod.made))
"""  # the pod as it is, but it saves whenever it may, and dies as one: torchrun gives each process a session


class Node:
    """A machine with a disk of its own and a store that it shares."""

    def __init__(self, folder: Path, store: Store) -> None:
        self._folder, self._store = folder, store

    async def work(self, die_at: int = 0) -> list[dict[str, Any]]:
        """Trains, and loses its power at a step; returns the progress that it told of."""
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
        moments = []
        try:
            async for line in process.stdout:
                if line.startswith(b"{") and (moment := json.loads(line).get("progress")):
                    moments.append(moment)
                    if moment["step"] == die_at:
                        break
            else:
                assert await process.wait() == 0
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        return moments


async def test_another_node_goes_on_from_the_state_and_the_best_weights_in_the_store(
    make_settings: Callable[..., Settings], tmp_path: Path
) -> None:
    told = {"epochs": 20, "patience": 3, "learning_rate": 3e-3, "validation": range(100, 104)}
    told |= {"batch": 4, "micro_batch": 4}
    alone = Store(make_settings(store_url=f"file://{tmp_path / 'alone'}"))
    await Ground.laid(Artifacts(alone), **told)
    straight = await Node(tmp_path / "straight", alone).work()
    done = json.loads(await alone.get(f"r/weights/001/{TRAINING_RESULT_FILE}"))
    assert done["kept_step"] < done["steps"] == len(straight) < 40, "the validation side was to end it early"

    shared = Store(make_settings())
    await Ground.laid(Artifacts(shared), **told)
    await Node(tmp_path / "first", shared).work(die_at=done["kept_step"] + 1)
    assert {key.rsplit("/", 1)[1] for key in await shared.keys("r/training")} == {"001.best", "001.state"}
    assert await alone.keys("r/training") == [], "what nobody needs any more takes several times the weights' room"
    resumed = await Node(tmp_path / "second", shared).work()
    assert 1 < resumed[0]["step"] <= done["steps"], "it was to go on, not to begin again"
    again = json.loads(await shared.get(f"r/weights/001/{TRAINING_RESULT_FILE}"))
    assert (again["steps"], again["kept_step"], again["ended"]) == (done["steps"], done["kept_step"], done["ended"])
    assert again["probe_log_prob"] == done["probe_log_prob"]
    weights = [await store.get("r/weights/001/model.safetensors") for store in (alone, shared)]
    assert weights[0] == weights[1]
