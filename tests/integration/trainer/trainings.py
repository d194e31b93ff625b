"""Real trainings of the shipped model in real processes, and their checkpoints."""

import os
import subprocess
from collections.abc import Callable
from importlib import resources
from pathlib import Path
from typing import Any

from ucoder.models.local.decoding import Decoder
from ucoder.models.local.loaded_model import load_model
from ucoder.trainer.training_job import TrainingJob, TrainingResult, TrainingText
from ucoder.trainer.training_process import train
from ucoder.v1 import config_pb2
from ucoder.v1.trainer_pb2 import TrainingProgress

SEED = Path(str(resources.files("ucoder.seed") / "model"))
PROBE = "def add(a: int, b: int) -> int:\n    return a + b\n"
EXAMPLES = [
    TrainingText(
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
    out: Path, *, base: Path = SEED, on_progress: Callable[[TrainingProgress], None] = lambda _: None,
    save_seconds: float = 60,
    silence: float = 60, examples: list[TrainingText] = EXAMPLES, validation: list[TrainingText] = [], **changed: Any,  # noqa: B006 - read only
) -> TrainingResult:  # fmt: skip
    chosen = config(**changed)
    job = TrainingJob.create(
        chosen, examples, base=base, out=out, seed=5, probe_text=PROBE, save_seconds=save_seconds, validation=validation
    )
    return await train(job, on_progress, chosen.processes, silence)


def workers() -> list[int]:
    found = subprocess.run(
        ["ps", "-o", "pid=,args=", "--ppid", str(os.getpid())], capture_output=True, text=True, check=False
    )
    return [int(line.split()[0]) for line in found.stdout.splitlines() if "ucoder.trainer.training_worker" in line]


def weights(folder: Path) -> bytes:
    return (folder / "model.safetensors").read_bytes()


OPPOSITE = [TrainingText(one.prompt, f"    return {i * 7919 % 97} * len(xs)\n") for i, one in enumerate(EXAMPLES[:6])]
"""Wrong answers to the first examples: training on EXAMPLES makes them less likely in the end."""


LORA = {"rank": 8, "alpha": 16, "dropout": 0.1, "targets": ["all-linear"]}


def lora(**changed: Any) -> config_pb2.LoraConfig:
    return config_pb2.LoraConfig(**{**LORA, **changed})


def score(folder: Path) -> float:
    return float(Decoder(load_model(str(folder))).score(PROBE).mean_log_prob)
