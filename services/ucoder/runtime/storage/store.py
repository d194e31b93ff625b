"""The object store behind one URL: `file://`, `s3://`, `gs://` or `az://`.

Keys are written once: `create` fails where the key exists, so a redelivered message or a race between two writers does
no harm. Nobody ever reads a half-written object.
"""

import contextlib
from collections.abc import AsyncGenerator, Collection, Iterator
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
        self.folder = Path(unquote(parts.netloc + parts.path)).absolute() if parts.scheme == "file" else None
        """The folder of a `file://` store; None for a bucket."""
        try:
            if self.folder:
                self._backend = FileStore(self.folder)
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

    async def replace(self, key: str, data: bytes) -> None:
        """Writes `data` at `key` in place of what is there; only for what can be computed again."""
        with self._errors("write", key):
            await self._backend.replace(key, data)

    async def get(self, key: str) -> bytes:
        """Returns the bytes at `key`; raises NotFound when there are none."""
        with self._errors("read", key):
            return await self._backend.get(key)

    async def keys(self, prefix: str) -> list[str]:
        """Returns all keys below a prefix, sorted."""
        return sorted(await self.written_times(prefix))

    async def written_times(self, prefix: str) -> dict[str, float]:
        """Returns each key below a prefix with the time it was written, in seconds since the epoch."""
        times: dict[str, float] = {}
        async for page in self.pages(prefix):
            times |= page
        return times

    async def pages(self, prefix: str) -> AsyncGenerator[dict[str, float], None]:
        """Yields the keys below a prefix with the times they were written, a page at a time and in any order."""
        with self._errors("list", prefix):
            async with contextlib.aclosing(self._backend.pages(prefix)) as pages:
                async for page in pages:
                    yield page

    async def written_at(self, key: str) -> float:
        """Returns the time a key was written, in seconds since the epoch; raises NotFound when there is none."""
        with self._errors("read", key):
            return await self._backend.written_at(key)

    async def create_file(self, path: Path, key: str) -> bool:
        """Writes a file at a key unless the key exists; returns whether it wrote."""
        with self._errors("write", key):
            try:
                await self._backend.create_file(path, key)
            except FileExistsError:
                return False
            return True

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

    async def remove_folder(self, prefix: str) -> None:
        """Removes all keys below a prefix; a prefix without keys is no error."""
        with self._errors("remove", prefix), contextlib.suppress(FileNotFoundError):
            await self._backend.remove_folder(prefix)

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

    async def local_folder(self, prefix: str, keep: Collection[str] = ()) -> Path:
        """Returns a local folder with the files of a stored one; raises NotFound when not all of it is stored.

        Copies of other folders that were not used for long are removed, but never those in `keep`. Raises Retry when
        the disk has no room.
        """
        with self._errors("read", prefix):
            return await self._backend.local_folder(prefix, keep)

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
