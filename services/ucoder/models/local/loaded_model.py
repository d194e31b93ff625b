"""A checkpoint in memory: its weights, its tokenizer, its end-of-text tokens and the length of its context."""

from dataclasses import dataclass
from typing import Any

import torch
from safetensors import SafetensorError
from transformers import AutoModelForCausalLM, AutoTokenizer

from ucoder.errors import Misconfigured, Reject
from ucoder.models.checkpoint_folder import base_of, require_weights


@dataclass(frozen=True)
class LoadedModel:
    """A model that is ready to compute."""

    model: Any
    tokenizer: Any
    end_tokens: frozenset[int]
    """Tokens that end a text."""
    context: int
    """Most tokens of prompt and completion together."""

    def prompt_tokens(self, prompt: str) -> list[int]:
        """Returns the token ids of a prompt. Raises Reject when it has none or leaves no room for one more token."""
        ids: list[int] = self.tokenizer(prompt)["input_ids"]
        if not ids:
            raise Reject("the prompt is empty: give at least one token.")
        if len(ids) >= self.context:
            raise Reject(f"the prompt has {len(ids)} tokens; the model takes {self.context}, completion included.")
        return ids


def compute_device() -> torch.device:
    """Returns the GPU when there is one, else the CPU."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def load_model(folder: str) -> LoadedModel:
    """Reads a checkpoint from its folder; on a CPU everything is computed in float32, however the weights are stored.

    An adapter is merged into its base. Raises NotFound when the folder holds no model, Misconfigured when the model
    cannot be read.
    """
    base = base_of(folder)
    require_weights(base)
    device = compute_device()
    try:
        model: Any = AutoModelForCausalLM.from_pretrained(
            base, dtype=torch.float32 if device.type == "cpu" else "auto", attn_implementation="sdpa",
            local_files_only=True,
        )  # fmt: skip
        if base != folder:
            from peft import PeftModel

            model = PeftModel.from_pretrained(model, folder, local_files_only=True).merge_and_unload()
        tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
    except (OSError, ValueError, KeyError, RuntimeError, SafetensorError, ImportError) as error:
        raise Misconfigured(f"model {folder}: {type(error).__name__}: {str(error).splitlines()[0]}") from None
    configs = getattr(model.generation_config, "eos_token_id", None), model.config.eos_token_id, tokenizer.eos_token_id
    configured: int | list[int] = next((tokens for tokens in configs if tokens is not None), [])
    end_tokens = frozenset([configured] if isinstance(configured, int) else configured)
    context = getattr(model.config, "max_position_embeddings", None) or 1 << 20
    return LoadedModel(model.to(device).eval(), tokenizer, end_tokens, context)
