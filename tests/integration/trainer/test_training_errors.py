"""Each way in which a training fails is a specific error."""

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
from ucoder.trainer.training_job import ExitCode, TrainingJob, TrainingText
from ucoder.trainer.training_worker import NO_MEMORY


async def test_a_loss_that_explodes_is_named(tmp_path: Path) -> None:
    with pytest.raises(Reject, match=r"training\.learning_rate"):
        await trained(tmp_path / "out", learning_rate=1e30, warmup=0.0)
    assert not (tmp_path / "out").exists()


async def test_a_process_that_prints_nothing_is_killed_and_retried(tmp_path: Path) -> None:
    with pytest.raises(Retry, match=r"said nothing for 0\.1 s and was killed"):  # it takes longer to import torch
        await trained(tmp_path / "out", silence=0.1)
    assert not workers()


async def test_a_job_that_cannot_be_trained_is_named(tmp_path: Path) -> None:
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
    """A real process has a memory limit, and a micro-batch needs more."""
    wide = [TrainingText("# solution\n", "    x = 1\n" * 60)] * 256
    large = config(max_tokens=512, micro_batch=256, batch=256)
    job = TrainingJob.create(large, wide, base=SEED, out=tmp_path / "out", seed=5, probe_text=PROBE)
    job.write(Path(job.work) / "job.json")
    process = await asyncio.create_subprocess_exec(
        "prlimit", f"--as={3 << 30}",
        sys.executable, "-m", "ucoder.trainer.training_worker", str(Path(job.work) / "job.json"),
        stdout=asyncio.subprocess.PIPE, env={**os.environ, "OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    output, _ = await process.communicate()
    assert json.loads(output.splitlines()[-1]) == {"error": "Retry", "text": NO_MEMORY}
    assert process.returncode == 1


async def test_too_little_gpu_memory_is_named_and_never_retried() -> None:
    """The program raises what torch raises on a GPU, since this machine has none."""
    program = """if True:
        import sys, torch
        from ucoder.trainer.training_worker import run_worker
        def prepare(group):
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 9 GiB.\\nMore words")
        sys.exit(run_worker(prepare))
    """
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", program, stdout=asyncio.subprocess.PIPE)
    output, _ = await process.communicate()
    line = json.loads(output)
    assert line["error"] == "Reject"
    assert line["text"].startswith("out of GPU memory: lower training.micro_batch or training.max_tokens. CUDA out")
    assert "More words" not in line["text"]
    assert process.returncode == ExitCode.REJECTED


async def test_a_full_disk_is_named_and_leaves_no_partial_files(tmp_path: Path) -> None:
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
