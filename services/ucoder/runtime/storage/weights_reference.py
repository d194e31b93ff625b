"""The reference to a checkpoint's weights: a folder in the object store, a local folder, or a model's public name."""

from dataclasses import dataclass
from pathlib import Path

from ucoder.errors import NotFound
from ucoder.runtime.storage.store import Store

_SCHEME = "store:"


@dataclass(frozen=True, slots=True)
class WeightsReference:
    """The place of weights. Its text, `store:PREFIX` for stored ones, is what artefacts and model servers hold."""

    place: str
    """A prefix of keys where `stored`; otherwise a local folder or a name on the model hub."""
    stored: bool
    """True for weights that a training put into the object store."""

    @classmethod
    def parse(cls, text: str) -> "WeightsReference":
        """Returns the reference that a text stands for; every text is one."""
        return cls(text.removeprefix(_SCHEME), text.startswith(_SCHEME))

    @classmethod
    def in_store(cls, prefix: str) -> "WeightsReference":
        """Returns the reference to a folder of the object store."""
        return cls(prefix, True)

    def __str__(self) -> str:
        return f"{_SCHEME}{self.place}" if self.stored else self.place

    async def local_folder(self, store: Store) -> Path:
        """Returns the weights' folder on this machine; copies it from the store where that is remote.

        Raises NotFound when the store does not hold all of the folder.
        """
        return await store.local_folder(self.place) if self.stored else Path(self.place)

    async def read(self, store: Store | None, name: str) -> bytes:
        """Returns the content of one file of the folder; `store` may be None for weights that are not `stored`.

        Raises NotFound when the store has no such file or not all of the folder, OSError when a local file is missing.
        """
        if not self.stored:
            return (Path(self.place) / name).read_bytes()
        if store is None:
            raise NotFound(f"{self}: no object store is known here.")
        return await store.get_from_folder(self.place, name)
