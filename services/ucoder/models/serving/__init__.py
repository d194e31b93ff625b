"""What a model server serves, and who changes that: one file for each way.

static      somebody else's server: we look, and say what is missing
process     a server that we start, and start again with other weights
kubernetes  a StatefulSet that we roll
adapters    LoRA adapters beside the base of any of them, where the server loads them while it runs
"""

from typing import Protocol


class ModelServer(Protocol):
    """Puts checkpoints onto one model server."""

    url: str
    """Where the server answers, ending in /v1."""
    folders: bool
    """Whether checkpoints are named by folders of this machine; else a stored one is named `store:PREFIX`."""
    exclusive: bool
    """Whether the server holds one checkpoint at a time, so that another one takes its place."""

    @property
    def up(self) -> bool:
        """False when the server is known to be gone: only `switch` brings it back."""
        ...

    async def switch(self, model: str) -> None:
        """Returns once the server lists `model`. Changes nothing when it does already.

        Raises NotFound or Misconfigured when it never will, Retry when another attempt may succeed.
        """
        ...

    async def close(self) -> None:
        """Ends what was started."""
        ...
