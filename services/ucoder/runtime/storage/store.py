"""The object store behind one URL: `file://`, `s3://`, `gs://` or `az://`.

Keys are written once: `create` fails where the key exists, so a redelivered message or a race between two writers does
no harm. Nobody ever reads a half-written object.
"""

import contextlib
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote, urlsplit

from ucoder.errors import Misconfigured, NotFound, Retry
from ucoder.runtime.atomic import atomic_file, atomic_folder
from ucoder.runtime.settings import Settings
from ucoder.runtime.storage.bucket_store import BucketStore
from ucoder.runtime.storage.file_store import FileStore


class Store:
    """Bytes by key, and folders of files by key prefix. Raises Retry when the store cannot be reached or written."""

    def __init__(self, settings: Settings) -> None:
        """Raises Misconfigured when the URL is malformed or the folder cannot be made and written."""
        self.url = settings.store_url
        self._backend: FileStore | BucketStore
        parts = urlsplit(self.url)
        try:
            if parts.scheme == "file":
                self._backend = FileStore(Path(unquote(parts.netloc + parts.path)).absolute())
            else:
                cache = settings.cache_dir.expanduser() / "folders"
                self._backend = BucketStore(self.url, settings.store_endpoint, cache)
        except OSError as error:
            why = f"cannot be written ({error.strerror}): make the folder writable" if error.errno else str(error)
            raise Misconfigured(f"UCODER_STORE_URL={self.url}: {why}") from None

    async def create(self, key: str, data: bytes) -> bool:
        """Writes `data` at `key` unless the key exists; returns whether it wrote."""
        with self._errors("write", key):
            try:
                await self._backend.create(key, data)
            except FileExistsError:
                return False
            return True

    async def get(self, key: str) -> bytes:
        """Returns the bytes at `key`; raises NotFound when there are none."""
        with self._errors("read", key):
            return await self._backend.get(key)

    async def keys(self, prefix: str) -> list[str]:
        """Returns all keys below a prefix, sorted."""
        return sorted(await self.written_times(prefix))

    async def written_times(self, prefix: str) -> dict[str, float]:
        """Returns each key below a prefix with the time it was written, in seconds since the epoch."""
        with self._errors("list", prefix):
            return await self._backend.written_times(prefix)

    async def written_at(self, key: str) -> float:
        """Returns the time a key was written, in seconds since the epoch; raises NotFound when there is none."""
        with self._errors("read", key):
            return await self._backend.written_at(key)

    async def put_file(self, path: Path, key: str) -> None:
        """Writes a file at a key and replaces the key's old content; only for keys that only their writer reads."""
        with self._errors("write", key):
            await self._backend.put_file(path, key)

    async def get_file(self, key: str, path: Path) -> bool:
        """Copies the bytes at a key into a file, whole or not at all; returns False when the key does not exist."""
        with self._errors("read", key):
            try:
                with atomic_file(path) as temporary:
                    await self._backend.get_file(key, temporary)
            except FileNotFoundError:
                return False
            return True

    async def remove(self, key: str) -> None:
        """Removes what `put_file` wrote; a key that does not exist is no error."""
        with self._errors("remove", key), contextlib.suppress(FileNotFoundError):
            await self._backend.remove(key)

    async def put_folder(self, folder: Path, prefix: str) -> None:
        """Puts a finished folder into the store, whole or not at all; the first of several writers wins.

        It may move the folder, so the folder may be gone afterwards.
        """
        with self._errors("write", prefix):
            await self._backend.put_folder(folder, prefix)

    async def get_folder(self, prefix: str, folder: Path) -> None:
        """Copies a stored folder into a new local one, whole or not at all; raises NotFound as `local_folder` does."""
        with self._errors("read", prefix), atomic_folder(folder) as temporary:
            await self._backend.get_folder(prefix, temporary)

    async def local_folder(self, prefix: str) -> Path:
        """Returns a local folder with the files of a stored one; raises NotFound when not all of it is stored."""
        with self._errors("read", prefix):
            return await self._backend.local_folder(prefix)

    async def get_from_folder(self, prefix: str, name: str) -> bytes:
        """Returns one file of a stored folder; raises NotFound when the file or a part of the folder is missing."""
        with self._errors("read", f"{prefix}/{name}"):
            return await self._backend.get_from_folder(prefix, name)

    @contextlib.contextmanager
    def _errors(self, action: str, key: str) -> Iterator[None]:
        try:
            yield
        except FileNotFoundError:
            raise NotFound(f"store {self.url}: no {key}.") from None
        except OSError as error:
            raise Retry(f"store {self.url}: cannot {action} {key}: {error}") from error
