"""LoRA (Hu et al., arXiv 2106.09685) by PEFT: trains small matrices beside the weights, which stay unchanged."""

from pathlib import Path
from typing import Any

from ucoder.errors import Misconfigured, Reject
from ucoder.trainer.training_job import Lora


def add_adapters(model: Any, lora: Lora | None) -> Any:
    """Returns the model with fresh adapters, which alone are trained; without LoRA the model itself.

    Torch's seed decides the adapters' values. Raises Reject when the model has no modules of the names in `targets`.
    """
    if lora is None:
        return model
    try:
        from peft import LoraConfig, get_peft_model
    except ImportError:
        raise Misconfigured("training.lora needs PEFT: pip install 'ucoder[local]'.") from None
    config = LoraConfig(
        r=lora.rank, lora_alpha=lora.alpha, lora_dropout=lora.dropout, task_type="CAUSAL_LM",
        target_modules="all-linear" if lora.targets == ["all-linear"] else lora.targets,
    )  # fmt: skip
    try:
        return get_peft_model(model, config)
    except ValueError as error:
        raise Reject(f"training.lora.targets {lora.targets}: {str(error).splitlines()[0]}") from None


def merge_adapters(model: Any, lora: Lora | None) -> Any:
    """Returns the model that the checkpoint holds: with merged weights, or as it is with `adapter: true`."""
    return model if lora is None or lora.adapter else model.merge_and_unload()


def save_weights(model: Any, folder: Path, lora: Lora | None) -> None:
    """Saves a finished model; with `adapter: true` only the adapters and the path of their base."""
    if lora and lora.adapter:
        model.save_pretrained(folder, save_embedding_layers=False)
    else:
        model.save_pretrained(folder)
