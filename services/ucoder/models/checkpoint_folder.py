"""Checkpoint folders on this machine: whole Hugging Face models, and LoRA adapters that name their base."""

import json
from pathlib import Path

from ucoder.errors import Misconfigured, NotFound

ADAPTER_CONFIG_FILE = "adapter_config.json"
"""The file that PEFT writes into an adapter's folder; a folder with whole weights has none."""


def base_of(model: str) -> str:
    """Returns the base of an adapter's folder, or any other model itself. Raises Misconfigured for a broken adapter."""
    file = Path(model) / ADAPTER_CONFIG_FILE
    if not file.is_file():
        return model
    try:
        return str(json.loads(file.read_text())["base_model_name_or_path"])
    except (OSError, ValueError, KeyError, TypeError):
        raise Misconfigured(f"{file}: not an adapter's configuration, it names no base_model_name_or_path.") from None


def require_weights(folder: str) -> None:
    """Raises NotFound unless a folder holds a whole model."""
    if not (Path(folder) / "config.json").is_file():
        raise NotFound(f"model {folder}: not a Hugging Face model folder, it has no config.json.")
