"""Real trainings of the shipped model in real processes: learning, resuming, and every way to fail."""

import asyncio
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from importlib import resources
from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
import torch

from ucoder.models.checkpoint import load
from ucoder.models.decoding import Decoder
from ucoder.models.probe import RESULT
from ucoder.models.serving.adapters import base_of
from ucoder.runtime.errors import Conflict, Misconfigured, NotFound, Reject, Retry
from ucoder.trainer import sft
from ucoder.trainer.company import Company
from ucoder.trainer.job import REJECTED, Example, Progress, job_of
from ucoder.trainer.process import train
from ucoder.trainer.worker import NO_MEMORY
from ucoder.v1 import artifacts_pb2, config_pb2

SEED = Path(str(resources.files("ucoder.seed") / "model"))
PROBE = "def add(a: int, b: int) -> int:\n    return a + b\n"
EXAMPLES = [
    Example(
        f'# solution\ndef f{i}(xs: list[int]) -> int:\n    """Answer {i}.\n    """\n', f"    return {i} - len(xs)\n"
    )
    for i in range(24)
]


def config(**changed: Any) -> config_pb2.TrainingConfig:
    values = {
        "learning_rate": 1e-3, "epochs": 4, "batch": 8, "micro_batch": 4, "warmup": 0.1, "max_grad_norm": 1.0,
        "max_tokens": 128,
    }  # fmt: skip
    return config_pb2.TrainingConfig(**{**values, **changed})


async def trained(
    out: Path, *, base: Path = SEED, on_progress: Callable[[Progress], None] = lambda _: None, save_seconds: float = 60,
    examples: list[Example] = EXAMPLES, validation: list[Example] = [], **changed: Any,  # noqa: B006 - read only
) -> tuple[artifacts_pb2.TrainingSummary, float]:  # fmt: skip
    job = job_of(
        examples,
        base=base,
        out=out,
        config=config(**changed),
        seed=5,
        probe_text=PROBE,
        save_seconds=save_seconds,
        validation=validation,
    )
    return await train(job, on_progress, config(**changed).processes)


def workers() -> list[int]:
    found = subprocess.run(
        ["ps", "-o", "pid=,args=", "--ppid", str(os.getpid())], capture_output=True, text=True, check=False
    )
    return [int(line.split()[0]) for line in found.stdout.splitlines() if "ucoder.trainer.worker" in line]


def weights(folder: Path) -> bytes:
    return (folder / "model.safetensors").read_bytes()


async def test_it_learns_and_leaves_a_whole_checkpoint(tmp_path: Path) -> None:
    moments: list[Progress] = []
    out = tmp_path / "out"
    summary, probe = await trained(out, on_progress=moments.append)
    assert (summary.examples, summary.too_long, summary.steps, len(summary.losses)) == (24, 0, 12, 12)
    assert summary.last_loss < summary.first_loss / 2
    assert [moment.step for moment in moments] == list(range(1, 13))
    assert moments[-1].steps == 12
    assert moments[-1].tokens_per_second > 0
    assert moments[-1].memory_mb > 0
    files = {file.name for file in out.iterdir()}
    assert {
        "config.json",
        "model.safetensors",
        "tokenizer.json",
        "generation_config.json",
        "README.md",
        RESULT,
    } <= files
    assert "24 (0 left out" in (out / "README.md").read_text()
    assert json.loads((out / "config.json").read_text())["dtype"] == "bfloat16"  # as its base is stored
    assert [file.name for file in tmp_path.iterdir()] == ["out"]
    assert weights(out) != weights(SEED)

    assert Decoder(load(str(out))).score(PROBE).mean_log_prob == pytest.approx(probe, abs=1e-6)
    again, same = await trained(out)
    assert (same, again.losses) == (probe, summary.losses)
    with pytest.raises(Conflict, match="another training"):
        await trained(out, epochs=5)


async def test_accumulation_changes_the_memory_and_not_the_result(tmp_path: Path) -> None:
    whole, _ = await trained(tmp_path / "whole", micro_batch=8, epochs=2)
    parts, _ = await trained(tmp_path / "parts", micro_batch=3, epochs=2)
    assert list(parts.losses) == pytest.approx(list(whole.losses), rel=1e-4)


async def test_killed_and_called_again_it_ends_as_if_nothing_had_happened(tmp_path: Path) -> None:
    straight, probe = await trained(tmp_path / "straight")

    def kill(moment: Progress) -> None:
        if moment.step == 7:
            os.kill(workers()[0], signal.SIGKILL)

    out = tmp_path / "out"
    with pytest.raises(Retry, match="SIGKILL"):
        await trained(out, on_progress=kill, save_seconds=0)
    assert not out.exists()
    moments: list[Progress] = []
    resumed, same = await trained(out, on_progress=moments.append)
    assert 1 < moments[0].step <= 9  # it did not begin again
    assert list(resumed.losses) == pytest.approx(list(straight.losses), rel=1e-6)
    assert same == probe
    assert weights(out) == weights(tmp_path / "straight")


OPPOSITE = [
    Example(one.prompt, f"    return {i * 7919 % 97} * len(xs)\n") for i, one in enumerate(EXAMPLES[:6])
]  # the more of EXAMPLES is learnt, the less likely
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
    job = job_of(EXAMPLES, base=SEED, out=tmp_path / "x", config=config(**FLAT), seed=5, probe_text=PROBE)
    kept = load(str(tmp_path / "early"))
    tokens, _ = sft.fitting(kept.tokenizer, [(one.prompt, one.completion) for one in OPPOSITE], 0, 128)
    tokens = [replace(one, ids=(*one.ids[:-1], kept.tokenizer.eos_token_id)) for one in tokens]
    again = sft.measure(kept.model.float(), tokens, job.recipe, kept.model.device, Company(0, 1))
    assert again == pytest.approx(losses[lowest], rel=0.01)  # stored in bfloat16

    def kill(moment: Progress) -> None:
        if moment.step == early.kept_step + 2:
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
    assert list(flat.losses[: early.steps]) == list(early.losses), "what is measured must not change what is learnt"


LORA = {"rank": 8, "alpha": 16, "dropout": 0.1, "targets": ["all-linear"]}
SMALL = {"learning_rate": 1e-2, "epochs": 4}


def lora(**changed: Any) -> config_pb2.LoraConfig:
    return config_pb2.LoraConfig(**{**LORA, **changed})


def score(folder: Path) -> float:
    return float(Decoder(load(str(folder))).score(PROBE).mean_log_prob)


async def test_lora_learns_beside_weights_that_stay_as_they_are(tmp_path: Path) -> None:
    before = weights(SEED)
    merged, probe = await trained(tmp_path / "merged", lora=lora(), **SMALL)
    assert merged.last_loss < merged.first_loss * 0.8
    kept, trained_ = safetensors.torch.load(before), safetensors.torch.load(weights(tmp_path / "merged"))
    assert set(kept) == set(trained_)
    changed = {name for name in kept if not torch.equal(kept[name], trained_[name])}
    assert changed == {name for name in kept if "_proj.weight" in name}
    assert "LoRA | rank 8, alpha 16, dropout 0.1, all-linear; merged" in (tmp_path / "merged" / "README.md").read_text()

    beside, with_base = await trained(tmp_path / "adapter", lora=lora(adapter=True), **SMALL)
    assert list(beside.losses) == list(merged.losses)
    assert weights(SEED) == before
    files = {file.name for file in (tmp_path / "adapter").iterdir()}
    assert {"adapter_config.json", "adapter_model.safetensors", "tokenizer.json", "README.md", RESULT} <= files
    assert "model.safetensors" not in files
    assert base_of(str(tmp_path / "adapter")) == str(SEED)
    assert with_base == pytest.approx(probe, abs=0.01)  # merged weights are rounded to bfloat16 once more
    assert score(tmp_path / "adapter") == pytest.approx(with_base, abs=1e-4)
    assert score(tmp_path / "merged") == pytest.approx(probe, abs=1e-6)
    assert abs(with_base - score(SEED)) > 0.05, "or equal log-probabilities would prove nothing"


async def test_lora_killed_and_called_again_ends_as_if_nothing_had_happened(tmp_path: Path) -> None:
    told = {"lora": lora(adapter=True), "validation": OPPOSITE, "patience": 2, "learning_rate": 1e-2, "epochs": 8}
    straight, probe = await trained(tmp_path / "straight", **told)
    assert straight.kept_step < straight.steps < 24

    def kill(moment: Progress) -> None:
        if moment.step == straight.kept_step + 2:
            os.kill(workers()[0], signal.SIGKILL)

    with pytest.raises(Retry, match="SIGKILL"):
        await trained(tmp_path / "out", on_progress=kill, save_seconds=0, **told)
    state = torch.load(tmp_path / "out.work" / "state.pt", weights_only=True)
    assert all("lora_" in name for name in state["model"])
    resumed, same = await trained(tmp_path / "out", **told)
    assert list(resumed.losses) == pytest.approx(list(straight.losses), rel=1e-6)
    assert same == probe
    ours, theirs = (tmp_path / name / "adapter_model.safetensors" for name in ("out", "straight"))
    assert ours.read_bytes() == theirs.read_bytes()


async def test_modules_that_a_model_does_not_have_are_named(tmp_path: Path) -> None:
    with pytest.raises(Reject, match=r"training\.lora\.targets \['nowhere'\]: Target modules"):
        await trained(tmp_path / "out", lora=lora(targets=["nowhere"]))


async def test_a_cancelled_training_is_gone_and_leaves_nothing_to_be_read(tmp_path: Path) -> None:
    started = asyncio.Event()
    task = asyncio.create_task(trained(tmp_path / "out", on_progress=lambda _: started.set(), epochs=1000))
    await started.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert not workers()
    assert not (tmp_path / "out").exists()


async def test_two_trainings_of_one_checkpoint_do_not_meet(tmp_path: Path) -> None:
    started = asyncio.Event()
    first = asyncio.create_task(trained(tmp_path / "out", on_progress=lambda _: started.set(), epochs=1000))
    await started.wait()
    with pytest.raises(Retry, match="another process"):
        await trained(tmp_path / "out", epochs=1000)
    first.cancel()
    await asyncio.gather(first, return_exceptions=True)


async def test_a_loss_that_explodes_is_named(tmp_path: Path) -> None:
    with pytest.raises(Reject, match=r"training\.learning_rate"):
        await trained(tmp_path / "out", learning_rate=1e30, warmup=0.0)
    assert not (tmp_path / "out").exists()


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
    wide = [Example("# solution\n", "    x = 1\n" * 60)] * 256
    told = config(max_tokens=512, micro_batch=256, batch=256)
    job = job_of(wide, base=SEED, out=tmp_path / "out", config=told, seed=5, probe_text=PROBE)
    Path(job.work).mkdir()
    job.write(Path(job.work) / "job.json")
    process = await asyncio.create_subprocess_exec(
        "prlimit", f"--as={3 << 30}", sys.executable, "-m", "ucoder.trainer.worker", str(Path(job.work) / "job.json"),
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
