"""The object store behind one URL: `file://`, `s3://`, `gs://`, `az://` (obstore).

Keys are written once: `create` fails where something is already, which is what makes redelivery and races harmless. A
half-written object is never seen (obstore stages and links local files; object stores are atomic by nature).
"""

import asyncio
import shutil
import tempfile
from pathlib import Path
from urllib.parse import unquote, urlsplit

import obstore
from obstore.exceptions import AlreadyExistsError, BaseError, NotFoundError
from obstore.store import LocalStore, ObjectStore, from_url

from ucoder.runtime.errors import Misconfigured, NotFound, Retry
from ucoder.runtime.settings import Settings


class Store:
    """Bytes by key, and folders of files by prefix. Raises Retry when the store cannot be reached or written."""

    def __init__(self, settings: Settings) -> None:
        """Raises Misconfigured when the URL is malformed or the folder cannot be made and written."""
        self.url = settings.store_url
        self._cache = settings.cache_dir.expanduser() / "folders"
        parts = urlsplit(self.url)
        self._root: Path | None = None
        self._store: ObjectStore
        if parts.scheme == "file":
            self._root = Path(unquote(parts.netloc + parts.path)).absolute()
            try:
                self._root.mkdir(parents=True, exist_ok=True)
                tempfile.TemporaryFile(dir=self._root).close()  # of no name: others may be starting at this moment
                self._store = LocalStore(self._root)
            except OSError as error:
                raise Misconfigured(
                    f"store {self.url}: cannot be written ({error.strerror}); make the folder writable or set "
                    "UCODER_STORE_URL to another."
                ) from None
            return
        options = {"endpoint": settings.store_endpoint, "virtual_hosted_style_request": "false"}
        plain = settings.store_endpoint.startswith("http://")
        try:
            self._store = from_url(
                self.url,
                config=options if settings.store_endpoint else None,  # type: ignore[arg-type]
                client_options={"allow_http": True} if plain else None,
            )
        except (BaseError, ValueError) as error:
            raise Misconfigured(f"UCODER_STORE_URL={self.url}: {_line(error)}") from None

    @property
    def remote(self) -> bool:
        """Whether folders arrive file by file, `DONE` last, instead of by one rename."""
        return self._root is None

    async def create(self, key: str, data: bytes) -> bool:
        """Writes `data` at `key` unless something is there; says whether it wrote."""
        try:
            await obstore.put_async(self._store, key, data, mode="create")
        except AlreadyExistsError:
            return False
        except (BaseError, OSError) as error:
            raise Retry(f"store {self.url}: cannot write {key}: {_line(error)}") from error
        return True

    async def get(self, key: str) -> bytes:
        """The bytes at `key`; NotFound when there are none."""
        try:
            result = await obstore.get_async(self._store, key)
            return bytes(await result.bytes_async())
        except (NotFoundError, FileNotFoundError):
            raise NotFound(f"store {self.url}: no {key}.") from None
        except (BaseError, OSError) as error:
            raise Retry(f"store {self.url}: cannot read {key}: {_line(error)}") from error

    async def keys(self, prefix: str) -> list[str]:
        """All keys below a prefix, sorted."""
        return sorted(await self.written(prefix))

    async def written(self, prefix: str) -> dict[str, float]:
        """When each key below a prefix was written, in seconds since the epoch."""
        try:
            found: dict[str, float] = {}
            async for chunk in obstore.list(self._store, prefix):
                found |= {entry["path"]: entry["last_modified"].timestamp() for entry in chunk}
            return found
        except (BaseError, OSError) as error:
            raise Retry(f"store {self.url}: cannot list {prefix}: {_line(error)}") from error

    async def when(self, key: str) -> float:
        """When a key was written, in seconds since the epoch; NotFound when there is none."""
        try:
            return (await obstore.head_async(self._store, key))["last_modified"].timestamp()
        except (NotFoundError, FileNotFoundError):
            raise NotFound(f"store {self.url}: no {key}.") from None
        except (BaseError, OSError) as error:
            raise Retry(f"store {self.url}: cannot read {key}: {_line(error)}") from error

    async def put_file(self, path: Path, key: str) -> None:
        """Writes a file at a key, in place of what was there: for what only its writer reads again."""
        try:
            await obstore.put_async(self._store, key, path)
        except (BaseError, OSError) as error:
            raise Retry(f"store {self.url}: cannot write {key}: {_line(error)}") from error

    async def get_file(self, key: str, path: Path) -> bool:
        """Copies what is at a key into a file, whole or not at all; False where there is nothing."""
        aside = path.with_name(path.name + ".partial")
        try:
            result = await obstore.get_async(self._store, key)
            with aside.open("wb") as file:
                async for chunk in result.stream():
                    file.write(chunk)
            aside.rename(path)
        except (NotFoundError, FileNotFoundError):
            return False
        except (BaseError, OSError) as error:
            raise Retry(f"store {self.url}: cannot read {key}: {_line(error)}") from error
        return True

    async def remove(self, key: str) -> None:
        """Removes what `put_file` wrote and nobody reads again; nothing there is no error."""
        try:
            await obstore.delete_async(self._store, key)
        except (NotFoundError, FileNotFoundError):
            return
        except (BaseError, OSError) as error:
            raise Retry(f"store {self.url}: cannot remove {key}: {_line(error)}") from error

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


def _line(error: Exception) -> str:
    """An error of the store in one line, without the Rust debug dump that follows."""
    return str(error).strip().splitlines()[0][:300]
