"""Model servers and how each gets the checkpoint that it serves: one module for each way.

fixed_server     a server that others run: ucoder checks what it serves and says what is missing
server_process   a server that ucoder starts on this machine, and starts again for other weights
statefulset      a StatefulSet in a cluster, whose pods are rolled to other weights
lora_adapters    LoRA adapters, loaded beside their base while any of these servers runs

Nothing here sends completion requests: `openai_model` does. `switching_model` decides when to switch, and
`weights_probe` proves that the switch worked.
"""

from typing import Protocol


class ModelServer(Protocol):
    """A model server whose checkpoint may be changed."""

    url: str
    """Base address of the server, ending in /v1."""
    reads_folders: bool
    """Whether checkpoints are read from folders of this machine; otherwise a stored one is named `store:PREFIX`."""
    exclusive: bool
    """Whether the server holds one checkpoint at a time, so that another one replaces it."""

    @property
    def up(self) -> bool:
        """False when the server is known to have ended; only `switch` starts it again."""
        ...

    async def switch(self, model: str) -> None:
        """Returns once the server lists `model`; changes nothing when it lists it already.

        Raises NotFound or Misconfigured when it never will, Retry when another attempt may succeed.
        """
        ...

    async def close(self) -> None:
        """Stops what was started."""
        ...
