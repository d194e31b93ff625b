"""Objects as files below a folder, each written aside and then given its name, so that nobody sees half of one.

A few threads of our own do the work. obstore's local store does it in tokio's, which grow in number to 512 and never
end while there is work (each keeps 10 to 30 kB), and takes twice the processor time for a small object. Paths are
strings: pathlib interns every part of one, and a service that meets a million keys pays for that with memory.
"""

import asyncio
import contextlib
import errno
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

from ucoder.runtime.atomic import TemporaryFolder

ASIDE = ".aside"
"""The folder of what is not finished, in the store's own."""
_THREADS = ThreadPoolExecutor(8, thread_name_prefix="store")
T = TypeVar("T")


class FileStore:
    """See `store.Objects`."""

    def __init__(self, root: Path) -> None:
        """Raises OSError when the folder cannot be made and written."""
        root.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=root).close()  # of no name: others may be starting at this moment
        self._root, self._temporary = str(root), TemporaryFolder(str(root / ASIDE))

    async def create(self, key: str, data: bytes) -> None:
        """Unlike a rename, a link fails where something is."""
        path = self._path(key)

        def write(aside: str) -> None:
            with open(aside, "wb") as file:
                file.write(data)
            os.link(aside, path)

        def create() -> None:
            if os.path.lexists(path):  # what is lost by a race is found by the link
                raise FileExistsError
            self._aside(path, write)

        await _thread(create)

    async def get(self, key: str) -> bytes:
        """Read whole."""
        path = self._path(key)

        def read() -> bytes:
            with open(path, "rb") as file:
                return file.read()

        return await self._reading(read)

    async def written(self, prefix: str) -> dict[str, float]:
        """All but what is not finished."""
        try:
            return await self._reading(lambda: dict(_below(self._path(prefix), prefix)))
        except FileNotFoundError:
            return {}

    async def when(self, key: str) -> float:
        """When its bytes were written."""
        path = self._path(key)
        return (await self._reading(lambda: os.stat(path))).st_mtime

    async def put_file(self, path: Path, key: str) -> None:
        """A copy."""
        there = self._path(key)

        def write(aside: str) -> None:
            shutil.copyfile(path, aside)
            os.replace(aside, there)

        await _thread(lambda: self._aside(there, write))

    async def get_file(self, key: str, path: Path) -> None:
        """A copy."""
        await self._reading(lambda: shutil.copyfile(self._path(key), path))

    async def remove(self, key: str) -> None:
        """Its folder stays."""
        path = self._path(key)
        await self._reading(lambda: os.unlink(path))

    async def put_folder(self, folder: Path, prefix: str) -> None:
        """One rename; from another disk a copy, then one rename."""
        there = self._path(prefix)

        def put(aside: str) -> None:
            try:
                _rename(str(folder), there)
            except OSError as error:
                if error.errno != errno.EXDEV:
                    raise
                shutil.copytree(folder, aside)
                _rename(aside, there)

        await _thread(lambda: self._aside(there, put))

    async def get_folder(self, prefix: str, folder: Path) -> None:
        """A copy."""
        path = self._path(prefix)
        await self._reading(lambda: shutil.copytree(path, folder, dirs_exist_ok=True))

    async def folder(self, prefix: str) -> Path:
        """The thing itself."""
        path = self._path(prefix)
        await self._reading(lambda: os.scandir(path).close())
        return Path(path)

    async def get_of(self, prefix: str, name: str) -> bytes:
        """As any other."""
        return await self.get(f"{prefix}/{name}")

    def _path(self, key: str) -> str:
        if key.startswith("/") or ".." in key.split("/"):
            raise FileNotFoundError(f"{key!r} is no key.")
        return os.path.join(self._root, key)

    def _aside(self, path: str, write: Callable[[str], None]) -> None:
        """Has a file written for its place, in a folder that is made where it is missing."""
        self._check()
        try:
            os.makedirs(os.path.dirname(path), exist_ok=True)
        except FileExistsError as error:  # which would mean that the object is there
            raise NotADirectoryError(f"a file is in the way: {error.filename}") from None
        with self._temporary.new_path() as aside:
            write(aside)

    async def _reading(self, read: Callable[[], T]) -> T:
        """FileNotFoundError here means that this one is missing, not the store."""

        def reading() -> T:
            try:
                return read()
            except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
                self._check()
                raise FileNotFoundError from None

        return await _thread(reading)

    def _check(self) -> None:
        """OSError when the store itself is gone, such as a disk that is no longer mounted."""
        if not os.path.isdir(self._temporary.path):
            raise OSError(f"the folder {self._root} is gone")


def _below(folder: str, prefix: str) -> Iterator[tuple[str, float]]:
    """Key and time of each file."""
    with os.scandir(folder) as entries:
        for entry in entries:
            key = f"{prefix}/{entry.name}" if prefix else entry.name
            if entry.is_dir():
                yield from _below(entry.path, key) if entry.name != ASIDE else ()
            else:
                with contextlib.suppress(FileNotFoundError):  # removed meanwhile
                    yield key, entry.stat().st_mtime


def _rename(folder: str, there: str) -> None:
    """The first of several wins."""
    try:
        os.rename(folder, there)
    except OSError:
        if not os.path.isdir(there):
            raise


async def _thread(work: Callable[[], T]) -> T:
    return await asyncio.get_running_loop().run_in_executor(_THREADS, work)
