"""A Hugging Face folder as a model in memory: weights, tokenizer, what ends a text, how long one may be."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from transformers import AutoModelForCausalLM, AutoTokenizer

from ucoder.errors import Misconfigured, NotFound, Reject
from ucoder.models.serving.lora_adapters import base_of


@dataclass(frozen=True)
class LoadedModel:
    """Ready to be asked. `context` is the most tokens of prompt and completion together."""

    model: Any
    tokenizer: Any
    ends: frozenset[int]
    context: int

    def ids(self, text: str) -> list[int]:
        """Token ids of a prompt. Raises Reject when there are none, or no room for one more token."""
        found: list[int] = self.tokenizer(text)["input_ids"]
        if not found:
            raise Reject("the prompt is empty: give at least one token.")
        if len(found) >= self.context:
            raise Reject(f"the prompt has {len(found)} tokens; the model takes {self.context}, completion included.")
        return found


def device() -> torch.device:
    """The GPU when there is one."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def load_model(folder: str) -> LoadedModel:
    """Reads a checkpoint; on a CPU everything is computed in float32, whatever the weights are stored as.

    An adapter's folder is read with its base, and merged into it. Raises NotFound when there is no such folder,
    Misconfigured when it holds no whole model.
    """
    base = base_of(folder)
    if not (Path(base) / "config.json").is_file():
        raise NotFound(f"model {base}: no Hugging Face model folder, it has no config.json.")
    where = device()
    try:
        model: Any = AutoModelForCausalLM.from_pretrained(
            base, dtype=torch.float32 if where.type == "cpu" else "auto", attn_implementation="sdpa",
            local_files_only=True,
        )  # fmt: skip
        if base != folder:
            from peft import PeftModel

            model = PeftModel.from_pretrained(model, folder, local_files_only=True).merge_and_unload()
        tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
    except (OSError, ValueError, KeyError, RuntimeError, SafetensorError, ImportError) as error:
        raise Misconfigured(f"model {folder}: {type(error).__name__}: {str(error).splitlines()[0]}") from None
    given = (getattr(model.generation_config, "eos_token_id", None), model.config.eos_token_id, tokenizer.eos_token_id)
    found: int | list[int] = next((ends for ends in given if ends is not None), [])
    ends = frozenset([found] if isinstance(found, int) else found)
    context = getattr(model.config, "max_position_embeddings", None) or 1 << 20
    return LoadedModel(model.to(where).eval(), tokenizer, ends, context)
