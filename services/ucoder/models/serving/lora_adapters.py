"""LoRA adapters: folders of a few megabytes that a server loads beside their base while it runs (vLLM's own call).

All that are loaded answer at once, each by its name, so going from one to the next costs milliseconds and no restart.
The server must see the folder: one machine, or a shared volume.
"""

import json
from pathlib import Path

from ucoder.errors import Misconfigured
from ucoder.models.openai_model import OpenAIModel

ADAPTER_CONFIG_FILE = "adapter_config.json"  # what PEFT writes, and what a folder with whole weights does not have


class LoraAdapters:
    """Those of one server."""

    def __init__(self, client: OpenAIModel) -> None:
        self._client = client
        self._bases: dict[str, str] = {}
        self._loaded: set[str] = set()

    def base_of(self, model: str) -> str:
        """What must be served for `model` to be: its base when it is an adapter's folder, else itself."""
        if model not in self._bases:
            self._bases[model] = base_of(model)
        return self._bases[model]

    async def load(self, model: str) -> bool:
        """Loads an adapter unless it is there; says whether it did."""
        if model in self._loaded or self.base_of(model) == model:
            return False
        fresh = model not in await self._client.served()
        if fresh:
            await self._client.load_adapter(model, model)
        self._loaded.add(model)
        return fresh

    def forget(self) -> None:
        """The server was started anew: nothing is loaded."""
        self._loaded.clear()


def base_of(model: str) -> str:
    """The base of an adapter's folder; any other model is its own. Raises Misconfigured for a broken one."""
    file = Path(model) / ADAPTER_CONFIG_FILE
    if not file.is_file():
        return model
    try:
        return str(json.loads(file.read_text())["base_model_name_or_path"])
    except (OSError, ValueError, KeyError, TypeError):
        raise Misconfigured(f"{file}: no adapter's configuration, it names no base_model_name_or_path.") from None
