"""Every way to fail has a name."""

import asyncio
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from tests.integration.trainer.trainings import PROBE, SEED, config, trained, workers

from ucoder.errors import Misconfigured, NotFound, Reject, Retry
from ucoder.trainer.training_job import REJECTED, TrainingText, job_of
from ucoder.trainer.training_worker import NO_MEMORY


async def test_a_loss_that_explodes_is_named(tmp_path: Path) -> None:
    with pytest.raises(Reject, match=r"training\.learning_rate"):
        await trained(tmp_path / "out", learning_rate=1e30, warmup=0.0)
    assert not (tmp_path / "out").exists()


async def test_a_process_that_says_nothing_is_ended_and_tried_again(tmp_path: Path) -> None:
    with pytest.raises(Retry, match=r"said nothing for 0\.1 s and was killed"):  # it takes longer to import torch
        await trained(tmp_path / "out", silence=0.1)
    assert not workers()


async def test_what_cannot_be_trained_is_named(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="nowhere"):
        await trained(tmp_path / "out", base=tmp_path / "nowhere")
    with pytest.raises(Reject, match="no training example"):
        await trained(tmp_path / "out", examples=[])
    with pytest.raises(Reject, match="none of 24 training examples fits into 8 tokens"):
        await trained(tmp_path / "out", max_tokens=8)
    broken = shutil.copytree(SEED, tmp_path / "broken")
    (broken / "model.safetensors").write_bytes(b"{}")
    with pytest.raises(Misconfigured, match="broken"):
        await trained(tmp_path / "out", base=broken)
    with pytest.raises(Retry, match="cannot write"):
        await trained(Path("/proc/out"))


async def test_too_little_memory_is_named(tmp_path: Path) -> None:
    """A real process with a limit on its memory, in which a micro-batch asks for more."""
    wide = [TrainingText("# solution\n", "    x = 1\n" * 60)] * 256
    told = config(max_tokens=512, micro_batch=256, batch=256)
    job = job_of(wide, base=SEED, out=tmp_path / "out", config=told, seed=5, probe_text=PROBE)
    Path(job.work).mkdir()
    job.write(Path(job.work) / "job.json")
    process = await asyncio.create_subprocess_exec(
        "prlimit", f"--as={3 << 30}",
        sys.executable, "-m", "ucoder.trainer.training_worker", str(Path(job.work) / "job.json"),
        stdout=asyncio.subprocess.PIPE, env={**os.environ, "OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    said, _ = await process.communicate()
    assert json.loads(said.splitlines()[-1]) == {"error": "Retry", "text": NO_MEMORY}
    assert process.returncode == 1


async def test_too_little_gpu_memory_is_named_and_never_tried_again() -> None:
    """What torch raises on a GPU, raised here where there is none."""
    program = """if True:
        import sys, torch
        from ucoder.trainer.worker import perform
        def prepare(company):
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 9 GiB.\\nMore words")
        sys.exit(perform(prepare))
    """
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", program, stdout=asyncio.subprocess.PIPE)
    said, _ = await process.communicate()
    told = json.loads(said)
    assert told["error"] == "Reject"
    assert told["text"].startswith("out of GPU memory: lower training.micro_batch or training.max_tokens. CUDA out")
    assert "More words" not in told["text"]
    assert process.returncode == REJECTED


async def test_a_full_disk_is_named_and_leaves_nothing_half_written(tmp_path: Path) -> None:
    small = tmp_path / "small"
    small.mkdir()
    if subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=1m", "none", str(small)], capture_output=True, check=False
    ).returncode:
        pytest.skip("a small disk needs the right to mount a tmpfs")
    try:
        with pytest.raises(Retry, match=r"cannot write .*, 0 MB free there"):
            await trained(small / "out", epochs=1)
        assert not (small / "out").exists()
        assert not (small / "out.partial").exists()
    finally:
        subprocess.run(["umount", str(small)], check=True)
