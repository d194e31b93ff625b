"""The object store behind one URL: `file://`, `s3://`, `gs://`, `az://`.

Keys are written once: `create` fails where something is already, which is what makes redelivery and races harmless. A
half-written object is never seen.
"""

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol
from urllib.parse import unquote, urlsplit

from ucoder.errors import Misconfigured, NotFound, Retry
from ucoder.runtime.atomic import atomic_file, atomic_folder
from ucoder.runtime.settings import Settings
from ucoder.runtime.storage.bucket_store import BucketStore
from ucoder.runtime.storage.file_store import FileStore


class Objects(Protocol):
    """Where the bytes are. Raises FileExistsError, FileNotFoundError, or another OSError when it cannot be reached."""

    async def create(self, key: str, data: bytes) -> None: ...
    async def get(self, key: str) -> bytes: ...
    async def written(self, prefix: str) -> dict[str, float]: ...
    async def when(self, key: str) -> float: ...
    async def put_file(self, path: Path, key: str) -> None: ...
    async def get_file(self, key: str, path: Path) -> None: ...
    async def remove(self, key: str) -> None: ...
    async def put_folder(self, folder: Path, prefix: str) -> None: ...
    async def get_folder(self, prefix: str, folder: Path) -> None: ...
    async def folder(self, prefix: str) -> Path: ...
    async def get_of(self, prefix: str, name: str) -> bytes: ...


class Store:
    """Bytes by key, and folders of files by prefix. Raises Retry when the store cannot be reached or written."""

    def __init__(self, settings: Settings) -> None:
        """Raises Misconfigured when the URL is malformed or the folder cannot be made and written."""
        self.url = settings.store_url
        self._objects: Objects
        parts = urlsplit(self.url)
        try:
            if parts.scheme == "file":
                self._objects = FileStore(Path(unquote(parts.netloc + parts.path)).absolute())
            else:
                cache = settings.cache_dir.expanduser() / "folders"
                self._objects = BucketStore(self.url, settings.store_endpoint, cache)
        except OSError as error:
            why = f"cannot be written ({error.strerror}): make the folder writable" if error.errno else str(error)
            raise Misconfigured(f"UCODER_STORE_URL={self.url}: {why}") from None

    async def create(self, key: str, data: bytes) -> bool:
        """Writes `data` at `key` unless something is there; says whether it wrote."""
        with self._errors("write", key):
            try:
                await self._objects.create(key, data)
            except FileExistsError:
                return False
            return True

    async def get(self, key: str) -> bytes:
        """The bytes at `key`; NotFound when there are none."""
        with self._errors("read", key):
            return await self._objects.get(key)

    async def keys(self, prefix: str) -> list[str]:
        """All keys below a prefix, sorted."""
        return sorted(await self.written(prefix))

    async def written(self, prefix: str) -> dict[str, float]:
        """When each key below a prefix was written, in seconds since the epoch."""
        with self._errors("list", prefix):
            return await self._objects.written(prefix)

    async def when(self, key: str) -> float:
        """When a key was written, in seconds since the epoch; NotFound when there is none."""
        with self._errors("read", key):
            return await self._objects.when(key)

    async def put_file(self, path: Path, key: str) -> None:
        """Writes a file at a key, in place of what was there: for what only its writer reads again."""
        with self._errors("write", key):
            await self._objects.put_file(path, key)

    async def get_file(self, key: str, path: Path) -> bool:
        """Copies what is at a key into a file, whole or not at all; False where there is nothing."""
        with self._errors("read", key):
            try:
                with atomic_file(path) as temporary:
                    await self._objects.get_file(key, temporary)
            except FileNotFoundError:
                return False
            return True

    async def remove(self, key: str) -> None:
        """Removes what `put_file` wrote and nobody reads again; nothing there is no error."""
        with self._errors("remove", key), contextlib.suppress(FileNotFoundError):
            await self._objects.remove(key)

    async def put_folder(self, folder: Path, prefix: str) -> None:
        """Puts a finished folder into the store, whole or not at all; the first of several writers wins.

        The folder may be gone afterwards.
        """
        with self._errors("write", prefix):
            await self._objects.put_folder(folder, prefix)

    async def folder(self, prefix: str) -> Path:
        """A folder of this machine with what `put_folder` put there; NotFound when not all of it is there."""
        with self._errors("read", prefix):
            return await self._objects.folder(prefix)

    async def get_folder(self, prefix: str, folder: Path) -> None:
        """Copies what `put_folder` put there into a folder that is not there yet, whole or not at all."""
        with self._errors("read", prefix), atomic_folder(folder) as temporary:
            await self._objects.get_folder(prefix, temporary)

    async def get_of(self, prefix: str, name: str) -> bytes:
        """One file of what `put_folder` put there; NotFound when there is none or not all of the folder is there."""
        with self._errors("read", f"{prefix}/{name}"):
            return await self._objects.get_of(prefix, name)

    @contextlib.contextmanager
    def _errors(self, what: str, key: str) -> Iterator[None]:
        try:
            yield
        except FileNotFoundError:
            raise NotFound(f"store {self.url}: no {key}.") from None
        except OSError as error:
            raise Retry(f"store {self.url}: cannot {what} {key}: {error}") from error
