"""Objects in S3, Google Cloud Storage or Azure, by obstore."""

import asyncio
import contextlib
import os
import shutil
import uuid
from collections.abc import AsyncGenerator, Collection, Iterator
from pathlib import Path

import obstore
from obstore.exceptions import AlreadyExistsError, BaseError, NotFoundError
from obstore.store import from_url

from ucoder.runtime.atomic import TemporaryFolder

DONE = "DONE"
"""The key in a folder's prefix that is written once and last. It holds the sub-prefix of the complete folder, because
each writer of a folder writes below a name of its own."""

CACHED = 6
"""Folders that stay in the cache: those used last, the best checkpoint too, which the loop serves in each iteration."""
SINGLE_PUT = 64 << 20
"""Bytes of a file that is written by one conditional put."""


class BucketStore:
    """The backend of `Store` in a bucket.

    Raises FileExistsError, FileNotFoundError, or another OSError when the bucket cannot be used.
    """

    def __init__(self, url: str, endpoint: str, cache: Path) -> None:
        """`endpoint` is that of an S3 server other than Amazon's, or empty; `cache` is where folders are copied to.

        Raises OSError when the URL is malformed.
        """
        self._cache = cache
        options = {"endpoint": endpoint, "virtual_hosted_style_request": "false"}
        plain = {"allow_http": True} if endpoint.startswith("http://") else None
        with _errors():
            self._store = from_url(url, config=options if endpoint else None, client_options=plain)  # type: ignore[arg-type]

    async def create(self, key: str, data: bytes) -> None:
        """Writes by a conditional put, which fails where the key exists."""
        with _errors():
            await obstore.put_async(self._store, key, data, mode="create")

    async def replace(self, key: str, data: bytes) -> None:
        """Writes by a put without a condition."""
        with _errors():
            await obstore.put_async(self._store, key, data)

    async def get(self, key: str) -> bytes:
        """Returns an object's bytes."""
        with _errors():
            result = await obstore.get_async(self._store, key)
            return bytes(await result.bytes_async())

    async def pages(self, prefix: str) -> AsyncGenerator[dict[str, float], None]:
        """Yields the bucket's own pages."""
        with _errors():
            async for chunk in obstore.list(self._store, prefix, chunk_size=1000):
                yield {entry["path"]: entry["last_modified"].timestamp() for entry in chunk}

    async def written_at(self, key: str) -> float:
        """Returns the time to the second."""
        with _errors():
            return (await obstore.head_async(self._store, key))["last_modified"].timestamp()

    async def create_file(self, path: Path, key: str) -> None:
        """Uploads a file. Parts know no condition, so before a large file the key is looked up."""
        if path.stat().st_size <= SINGLE_PUT:
            await self.create(key, path.read_bytes())
            return
        with contextlib.suppress(FileNotFoundError):
            await self.written_at(key)
            raise FileExistsError
        await self.put_file(path, key)

    async def put_file(self, path: Path, key: str) -> None:
        """Uploads a file, in parts where it is large."""
        with _errors():
            await obstore.put_async(self._store, key, path)

    async def get_file(self, key: str, path: Path) -> None:
        """Streams an object into a file."""
        with _errors():
            result = await obstore.get_async(self._store, key)
            with path.open("wb") as file:
                async for chunk in result.stream():
                    file.write(chunk)

    async def remove(self, key: str) -> None:
        """Removes an object; in S3 a missing one is no error."""
        with _errors():
            await obstore.delete_async(self._store, key)

    async def remove_folder(self, prefix: str) -> None:
        """Removes the keys page by page, and the folder's copies in the cache."""
        async for page in self.pages(prefix):
            with _errors():
                await obstore.delete_async(self._store, list(page))
        await asyncio.to_thread(shutil.rmtree, self._cache / prefix, ignore_errors=True)

    async def put_folder(self, folder: Path, prefix: str) -> None:
        """Uploads file by file below a name of this writer: a bucket has no rename, and other writers may exist."""
        with contextlib.suppress(FileNotFoundError):
            await self._complete_prefix(prefix)
            return
        own = uuid.uuid4().hex
        files = sorted(path for path in folder.rglob("*") if path.is_file())
        if not files:
            raise OSError(f"{folder} holds no file")
        for path in files:
            await self.put_file(path, f"{prefix}/{own}/{path.relative_to(folder)}")
        with contextlib.suppress(FileExistsError):
            await self.create(f"{prefix}/{DONE}", own.encode())
        complete = await self._complete_prefix(prefix)
        for key in await self._keys(prefix):
            if key != f"{prefix}/{DONE}" and not key.startswith(f"{complete}/"):
                with contextlib.suppress(FileNotFoundError):  # another writer that lost removes it too
                    await self.remove(key)

    async def get_folder(self, prefix: str, folder: Path) -> None:
        """Downloads file by file."""
        complete = await self._complete_prefix(prefix)
        for key in await self._keys(complete):
            path = folder / key.removeprefix(f"{complete}/")
            path.parent.mkdir(parents=True, exist_ok=True)
            await self.get_file(key, path)

    async def local_folder(self, prefix: str, keep: Collection[str] = ()) -> Path:
        """Returns a copy in the cache, which is downloaded once.

        Of other copies those in `keep` and those used last stay. Raises OSError where the disk has no room even then.
        """
        target = self._cache / prefix
        if target.exists():
            os.utime(target)
            return target
        size = await self._size(await self._complete_prefix(prefix))
        await asyncio.to_thread(self._make_room, target, size, {self._cache / one for one in keep})
        with TemporaryFolder(str(self._cache / ".aside")).new_path() as temporary:
            await self.get_folder(prefix, Path(temporary))
            target.parent.mkdir(parents=True, exist_ok=True)
            try:
                Path(temporary).rename(target)
            except OSError:
                if not target.exists():  # no other process was faster
                    raise
        os.utime(target)
        return target

    def _make_room(self, new: Path, size: int, keep: Collection[Path]) -> None:
        """Removes copies of checkpoints, `<run>/weights/<name>`, before a new one is downloaded.

        Those used last stay, as many as `CACHED` says, or fewer where the disk lacks room. Those in `keep` always stay.
        """
        others = [path for path in self._cache.glob("[!.]*/*/*") if path.is_dir() and path != new]
        surplus = len(others) - (CACHED - 1)
        for path in sorted(others, key=lambda path: path.stat().st_mtime):
            if surplus <= 0 and self._free_bytes() >= size:
                break
            if path not in keep:
                shutil.rmtree(path, ignore_errors=True)
                surplus -= 1
        if (free := self._free_bytes()) < size:
            raise OSError(
                f"the disk of {self._cache} has {free / 1e9:.1f} GB free and the folder needs {size / 1e9:.1f} GB; "
                "make the disk larger."
            )

    def _free_bytes(self) -> int:
        """Returns the free bytes of the cache's disk."""
        return shutil.disk_usage(next(path for path in (self._cache, *self._cache.parents) if path.exists())).free

    async def _size(self, prefix: str) -> int:
        """Returns the bytes of all objects below a prefix."""
        with _errors():
            return sum([entry["size"] async for page in obstore.list(self._store, prefix) for entry in page])

    async def get_from_folder(self, prefix: str, name: str) -> bytes:
        """Returns one file of a complete folder."""
        return await self.get(f"{await self._complete_prefix(prefix)}/{name}")

    async def _keys(self, prefix: str) -> list[str]:
        return [key async for page in self.pages(prefix) for key in page]

    async def _complete_prefix(self, prefix: str) -> str:
        """Returns the prefix of the complete folder's files; raises FileNotFoundError while there is none.

        An empty DONE is that of an older version, which wrote the files directly below `prefix`.
        """
        return f"{prefix}/{(await self.get(f'{prefix}/{DONE}')).decode()}".rstrip("/")


@contextlib.contextmanager
def _errors() -> Iterator[None]:
    """Raises obstore's errors as OSErrors with one line of text, without the Rust debug output that follows it."""
    try:
        yield
    except AlreadyExistsError:
        raise FileExistsError from None
    except NotFoundError:
        raise FileNotFoundError from None
    except (BaseError, ValueError) as error:
        raise OSError(str(error).strip().splitlines()[0][:300]) from error
