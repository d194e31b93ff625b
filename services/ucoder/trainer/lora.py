"""LoRA (Hu et al., arXiv 2106.09685) by PEFT: small matrices beside the weights are trained, the weights stay."""

from pathlib import Path
from typing import Any

from ucoder.errors import Misconfigured, Reject
from ucoder.trainer.training_job import Lora


def adapted(model: Any, lora: Lora | None) -> Any:
    """The model with fresh adapters, which alone are trained; without LoRA the model itself.

    Torch's seed decides the adapters' values. Raises Reject when the model has no such modules.
    """
    if lora is None:
        return model
    try:
        from peft import LoraConfig, get_peft_model
    except ImportError:
        raise Misconfigured("training.lora needs PEFT: pip install 'ucoder[local]'.") from None
    everything = lora.targets == ["all-linear"]
    try:
        return get_peft_model(model, LoraConfig(
            r=lora.rank, lora_alpha=lora.alpha, lora_dropout=lora.dropout, task_type="CAUSAL_LM",
            target_modules="all-linear" if everything else lora.targets,
        ))  # fmt: skip
    except ValueError as error:
        raise Reject(f"training.lora.targets {lora.targets}: {str(error).splitlines()[0]}") from None


def finished(model: Any, lora: Lora | None) -> Any:
    """What the checkpoint holds: the adapters beside their base, or one model that they are merged into."""
    return model if lora is None or lora.adapter else model.merge_and_unload()


def write(model: Any, folder: Path, lora: Lora | None) -> None:
    """Saves a finished model; of one with adapters only those, and where their base lies."""
    if lora and lora.adapter:
        model.save_pretrained(folder, save_embedding_layers=False)
    else:
        model.save_pretrained(folder)
