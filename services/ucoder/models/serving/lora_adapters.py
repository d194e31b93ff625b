"""LoRA adapters: folders of a few megabytes that a server loads beside their base while it runs (vLLM's own call).

All loaded adapters answer at once, each under its name, so going from one to the next takes milliseconds and no
restart. The server must be able to read the folder: it runs on this machine or shares a volume with it. Adapters of the
local model are not loaded here: `local/loaded_model` merges them into their base.
"""

from ucoder.models.checkpoint_folder import base_of
from ucoder.models.openai_model import OpenAIModel


class LoraAdapters:
    """The adapters of one server."""

    def __init__(self, client: OpenAIModel) -> None:
        self._client = client
        self._bases: dict[str, str] = {}
        self._loaded: set[str] = set()

    def base_of(self, model: str) -> str:
        """Returns the checkpoint that the server must hold to serve `model`: an adapter's base, or `model` itself."""
        if model not in self._bases:
            self._bases[model] = base_of(model)
        return self._bases[model]

    async def load(self, model: str) -> bool:
        """Loads an adapter unless the server has it; returns whether it was loaded now."""
        if model in self._loaded or self.base_of(model) == model:
            return False
        missing = model not in await self._client.served()
        if missing:
            await self._client.load_adapter(model, model)
        self._loaded.add(model)
        return missing

    def forget(self) -> None:
        """Records that the server was restarted and has no adapter loaded."""
        self._loaded.clear()
