"""The model card of a checkpoint: where it comes from, in words and in front matter that the hub reads."""

import hashlib
import json
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Any

from ucoder.trainer.training_job import Lora, TrainingJob


def model_card(job: TrainingJob, summary: dict[str, Any]) -> str:
    """README.md of a checkpoint folder."""
    recipe = job.recipe
    how = f"AdamW, learning rate {recipe.learning_rate:g}, cosine, warm-up {recipe.warmup:g}, {recipe.epochs} epochs"
    return f"""---
library_name: {"peft" if job.lora and job.lora.adapter else "transformers"}
base_model: {Path(job.base).name}
pipeline_tag: text-generation
tags: [ucoder, code]
---
# A checkpoint made by ucoder {version("ucoder")}

Fine-tuned on programs that the model wrote itself and execution-driven consensus selected (UCoder, arXiv 2512.17385).
No human solution and no reference answer was used.

| | |
|---|---|
| base | `{job.base}`, {_weights(Path(job.base))} |
| datasets | {", ".join(f"`{one}`" for one in job.datasets) or "none named"} |
| examples | {summary["examples"]} ({summary["too_long"]} left out as too long) |
| steps | {summary["steps"]}, batches of {recipe.batch} |
{_lora(job.lora)}| recipe | {how} |
| loss per token | {summary["first_loss"]:.4f} in the first epoch, {summary["last_loss"]:.4f} in the last |
{_validation(summary)}| ended | {summary["ended"]} |
| seed | {recipe.seed} |
| training | `{job.fingerprint}` (SHA-256 of base path, examples, recipe) |
| made with | ucoder {version("ucoder")}, torch {version("torch")}, transformers {version("transformers")} |

```json
{json.dumps({**asdict(recipe), "max_tokens": job.max_tokens, "lora": job.lora and asdict(job.lora)})}
```
"""


def _weights(base: Path) -> str:
    """A base by its content: a path says nothing elsewhere."""
    told = []
    for path in sorted([*base.glob("*.safetensors"), *base.glob("*.bin")]):
        with path.open("rb") as file:
            told.append(f"{path.name} sha256 `{hashlib.file_digest(file, 'sha256').hexdigest()[:16]}`")
    return ", ".join(told)


def _validation(summary: dict[str, Any]) -> str:
    if not summary["validation"]:
        return ""
    losses = ", ".join(f"{one['loss']:.4f} (step {one['step']})" for one in summary["validation"])
    return f"| validation loss per token | {losses}; {summary['validation_examples']} examples, never trained on |\n"


def _lora(one: Lora | None) -> str:
    if one is None:
        return ""
    held = "this folder is the adapter alone" if one.adapter else "merged into the weights"
    return (
        f"| LoRA | rank {one.rank}, alpha {one.alpha:g}, dropout {one.dropout:g}, {', '.join(one.targets)}; {held} |\n"
    )
