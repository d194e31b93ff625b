"""Objects in S3, Google Cloud Storage or Azure, by obstore; its errors become Python's own."""

import contextlib
import uuid
from collections.abc import Iterator
from pathlib import Path

import obstore
from obstore.exceptions import AlreadyExistsError, BaseError, NotFoundError
from obstore.store import from_url

from ucoder.runtime.atomic import TemporaryFolder

DONE = "DONE"
"""In a folder's prefix: written once and last, it says below which of its writers' names the whole folder lies."""


class BucketStore:
    """See `store.Objects`."""

    def __init__(self, url: str, endpoint: str, cache: Path) -> None:
        """endpoint: of an S3 server that is not Amazon's, or empty. cache: where folders are fetched to.

        Raises OSError when the URL is malformed.
        """
        self._cache = cache
        options = {"endpoint": endpoint, "virtual_hosted_style_request": "false"}
        plain = {"allow_http": True} if endpoint.startswith("http://") else None
        with _errors():
            self._store = from_url(url, config=options if endpoint else None, client_options=plain)  # type: ignore[arg-type]

    async def create(self, key: str, data: bytes) -> None:
        """By a conditional put."""
        with _errors():
            await obstore.put_async(self._store, key, data, mode="create")

    async def get(self, key: str) -> bytes:
        """Read whole."""
        with _errors():
            result = await obstore.get_async(self._store, key)
            return bytes(await result.bytes_async())

    async def written(self, prefix: str) -> dict[str, float]:
        """Page by page."""
        found: dict[str, float] = {}
        with _errors():
            async for chunk in obstore.list(self._store, prefix):
                found |= {entry["path"]: entry["last_modified"].timestamp() for entry in chunk}
        return found

    async def when(self, key: str) -> float:
        """To the second."""
        with _errors():
            return (await obstore.head_async(self._store, key))["last_modified"].timestamp()

    async def put_file(self, path: Path, key: str) -> None:
        """In parts where it is large."""
        with _errors():
            await obstore.put_async(self._store, key, path)

    async def get_file(self, key: str, path: Path) -> None:
        """Streamed."""
        with _errors():
            result = await obstore.get_async(self._store, key)
            with path.open("wb") as file:
                async for chunk in result.stream():
                    file.write(chunk)

    async def remove(self, key: str) -> None:
        """One that is not there is no error in S3."""
        with _errors():
            await obstore.delete_async(self._store, key)

    async def put_folder(self, folder: Path, prefix: str) -> None:
        """File by file, below a name of its writer: there is no rename, and others may be writing or have died."""
        try:
            await self._whole(prefix)
            return
        except FileNotFoundError:
            own = uuid.uuid4().hex
        files = sorted(path for path in folder.rglob("*") if path.is_file())
        if not files:
            raise OSError(f"{folder} holds no file")
        for path in files:
            await self.put_file(path, f"{prefix}/{own}/{path.relative_to(folder)}")
        with contextlib.suppress(FileExistsError):
            await self.create(f"{prefix}/{DONE}", own.encode())
        whole = await self._whole(prefix)
        for key in await self.written(prefix):
            if key != f"{prefix}/{DONE}" and not key.startswith(f"{whole}/"):
                with contextlib.suppress(FileNotFoundError):  # whoever else did not win removes it too
                    await self.remove(key)

    async def get_folder(self, prefix: str, folder: Path) -> None:
        """File by file."""
        whole = await self._whole(prefix)
        for key in await self.written(whole):
            path = folder / key.removeprefix(f"{whole}/")
            path.parent.mkdir(parents=True, exist_ok=True)
            await self.get_file(key, path)

    async def folder(self, prefix: str) -> Path:
        """A copy, fetched once."""
        target = self._cache / prefix
        if target.exists():
            return target
        with TemporaryFolder(str(self._cache / ".aside")).new_path() as aside:
            await self.get_folder(prefix, Path(aside))
            target.parent.mkdir(parents=True, exist_ok=True)
            try:
                Path(aside).rename(target)
            except OSError:
                if not target.exists():  # nobody was faster
                    raise
        return target

    async def get_of(self, prefix: str, name: str) -> bytes:
        """Only when all of its folder is there."""
        return await self.get(f"{await self._whole(prefix)}/{name}")

    async def _whole(self, prefix: str) -> str:
        """The prefix that the finished folder lies below; FileNotFoundError while there is none."""
        return f"{prefix}/{(await self.get(f'{prefix}/{DONE}')).decode()}".rstrip("/")  # once, files lay beside DONE


@contextlib.contextmanager
def _errors() -> Iterator[None]:
    """In one line, without the Rust debug dump that follows."""
    try:
        yield
    except AlreadyExistsError:
        raise FileExistsError from None
    except NotFoundError:
        raise FileNotFoundError from None
    except (BaseError, ValueError) as error:
        raise OSError(str(error).strip().splitlines()[0][:300]) from error
