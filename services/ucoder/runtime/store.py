"""The object store behind one URL: `file://`, `s3://`, `gs://`, `az://`.

Keys are written once: `create` fails where something is already, which is what makes redelivery and races harmless. A
half-written object is never seen.
"""

import asyncio
import contextlib
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol
from urllib.parse import unquote, urlsplit

from ucoder.runtime.bucket import Bucket
from ucoder.runtime.errors import Misconfigured, NotFound, Retry
from ucoder.runtime.files import Files
from ucoder.runtime.settings import Settings


class Objects(Protocol):
    """Where the bytes are. Raises FileExistsError, FileNotFoundError, or another OSError when it cannot be reached."""

    async def create(self, key: str, data: bytes) -> None: ...
    async def get(self, key: str) -> bytes: ...
    async def written(self, prefix: str) -> dict[str, float]: ...
    async def when(self, key: str) -> float: ...
    async def put_file(self, path: Path, key: str) -> None: ...
    async def get_file(self, key: str, path: Path) -> None: ...
    async def remove(self, key: str) -> None: ...


class Store:
    """Bytes by key, and folders of files by prefix. Raises Retry when the store cannot be reached or written."""

    def __init__(self, settings: Settings) -> None:
        """Raises Misconfigured when the URL is malformed or the folder cannot be made and written."""
        self.url = settings.store_url
        self._cache = settings.cache_dir.expanduser() / "folders"
        parts = urlsplit(self.url)
        self._root = Path(unquote(parts.netloc + parts.path)).absolute() if parts.scheme == "file" else None
        self._objects: Objects
        try:
            self._objects = Files(self._root) if self._root else Bucket(self.url, settings.store_endpoint)
        except OSError as error:
            if self._root is None:
                raise Misconfigured(f"UCODER_STORE_URL={self.url}: {error}") from None
            raise Misconfigured(
                f"store {self.url}: cannot be written ({error.strerror}); make the folder writable or set "
                "UCODER_STORE_URL to another."
            ) from None

    @property
    def remote(self) -> bool:
        """Whether folders arrive file by file, `DONE` last, instead of by one rename."""
        return self._root is None

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
        aside = path.with_name(path.name + ".partial")
        with self._errors("read", key):
            try:
                await self._objects.get_file(key, aside)
            except FileNotFoundError:
                return False
            aside.rename(path)
            return True

    async def remove(self, key: str) -> None:
        """Removes what `put_file` wrote and nobody reads again; nothing there is no error."""
        with self._errors("remove", key), contextlib.suppress(FileNotFoundError):
            await self._objects.remove(key)

    async def put_folder(self, folder: Path, prefix: str) -> None:
        """Moves a finished folder into the store; with a file store one rename, elsewhere `DONE` is written last."""
        if self._root is not None:
            target = self._root / prefix
            target.parent.mkdir(parents=True, exist_ok=True)
            if not target.exists():
                await asyncio.to_thread(shutil.move, folder, target)
            return
        for path in sorted(p for p in folder.rglob("*") if p.is_file()):
            await self.create(f"{prefix}/{path.relative_to(folder)}", path.read_bytes())
        await self.create(f"{prefix}/DONE", b"")

    async def folder(self, prefix: str) -> Path:
        """A local folder with what is stored below `prefix`: the thing itself in a file store, else a cached copy."""
        if self._root is not None:
            return self._root / prefix
        target = self._cache / prefix
        if not target.exists():
            if f"{prefix}/DONE" not in (keys := await self.keys(prefix)):
                raise NotFound(f"store {self.url}: {prefix} is missing or incomplete.")
            aside = target.with_name(target.name + ".partial")
            shutil.rmtree(aside, ignore_errors=True)
            for key in keys:
                path = aside / Path(key).relative_to(prefix)
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(await self.get(key))
            aside.rename(target)
        return target

    @contextlib.contextmanager
    def _errors(self, what: str, key: str) -> Iterator[None]:
        try:
            yield
        except FileNotFoundError:
            raise NotFound(f"store {self.url}: no {key}.") from None
        except OSError as error:
            raise Retry(f"store {self.url}: cannot {what} {key}: {error}") from error
