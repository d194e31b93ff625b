"""Objects in S3, Google Cloud Storage or Azure, by obstore; its errors become Python's own."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

import obstore
from obstore.exceptions import AlreadyExistsError, BaseError, NotFoundError
from obstore.store import from_url


class Bucket:
    """See `store.Objects`."""

    def __init__(self, url: str, endpoint: str) -> None:
        """endpoint: of an S3 server that is not Amazon's, or empty. Raises OSError when the URL is malformed."""
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
