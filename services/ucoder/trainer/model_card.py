"""The model card of a checkpoint: its origin in words, and in front matter that the model hub reads."""

import hashlib
import json
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Any

from ucoder.trainer.training_job import Lora, TrainingJob


def model_card(job: TrainingJob, values: dict[str, Any]) -> str:
    """Returns the README.md of a checkpoint folder; `values` are those of its result file."""
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
| base | `{job.base}`, {_weight_hashes(Path(job.base))} |
| datasets | {", ".join(f"`{dataset}`" for dataset in job.datasets) or "none named"} |
| examples | {values["examples"]} ({values["too_long"]} left out as too long) |
| steps | {values["steps"]}, batches of {recipe.batch} |
{_lora_row(job.lora)}| recipe | {how} |
| loss per token | {values["first_loss"]:.4f} in the first epoch, {values["last_loss"]:.4f} in the last |
{_validation_row(values)}| ended | {values["ended"]} |
| seed | {recipe.seed} |
| training | `{job.fingerprint}` (SHA-256 of base path, examples, recipe) |
| made with | ucoder {version("ucoder")}, torch {version("torch")}, transformers {version("transformers")} |

```json
{json.dumps({**asdict(recipe), "max_tokens": job.max_tokens, "lora": job.lora and asdict(job.lora)})}
```
"""


def _weight_hashes(base: Path) -> str:
    """Returns the hashes of the base's weights, because its path means nothing on another machine."""
    hashes = []
    for path in sorted([*base.glob("*.safetensors"), *base.glob("*.bin")]):
        with path.open("rb") as file:
            hashes.append(f"{path.name} sha256 `{hashlib.file_digest(file, 'sha256').hexdigest()[:16]}`")
    return ", ".join(hashes)


def _validation_row(values: dict[str, Any]) -> str:
    if not values["validation"]:
        return ""
    losses = ", ".join(f"{each['loss']:.4f} (step {each['step']})" for each in values["validation"])
    return f"| validation loss per token | {losses}; {values['validation_examples']} examples, never trained on |\n"


def _lora_row(lora: Lora | None) -> str:
    if lora is None:
        return ""
    size = f"rank {lora.rank}, alpha {lora.alpha:g}, dropout {lora.dropout:g}, {', '.join(lora.targets)}"
    place = "this folder is the adapter alone" if lora.adapter else "merged into the weights"
    return f"| LoRA | {size}; {place} |\n"
