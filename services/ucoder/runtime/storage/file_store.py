"""Objects as files below a folder, each written under a temporary name first, so that nobody reads a half-written one.

A few threads of this module do the work. obstore's local store uses tokio's threads, which grow to 512 and stay as long
as there is work (each keeps 10 to 30 kB), and takes twice the processor time for a small object. Paths are strings:
pathlib interns every part of a path, which would keep the memory of a million keys.
"""

import asyncio
import contextlib
import errno
import itertools
import os
import shutil
import tempfile
from collections.abc import AsyncGenerator, Callable, Collection, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

from ucoder.runtime.atomic import TemporaryFolder

TEMPORARY = ".aside"
"""Name of the folder for temporary files, inside the store's folder."""
PAGE = 1000
"""Keys of one page of a listing."""
_THREADS = ThreadPoolExecutor(8, thread_name_prefix="store")
T = TypeVar("T")


class FileStore:
    """The backend of `Store` in a local or mounted folder.

    Raises FileExistsError, FileNotFoundError, or another OSError when the folder cannot be used.
    """

    def __init__(self, root: Path) -> None:
        """Raises OSError when the folder cannot be made and written."""
        root.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=root).close()  # without a name, because other processes may start at this moment
        self._root, self._temporary = str(root), TemporaryFolder(str(root / TEMPORARY))

    async def create(self, key: str, data: bytes) -> None:
        """Writes by a hard link, which fails where the file exists; a rename would replace it."""

        def write(path: str, temporary: str) -> None:
            if os.path.lexists(path):  # spares the writing; of two racing writers the link stops one
                raise FileExistsError
            with open(temporary, "wb") as file:
                file.write(data)
            os.link(temporary, path)

        await self._write(key, write)

    async def replace(self, key: str, data: bytes) -> None:
        """Writes by a rename."""

        def write(path: str, temporary: str) -> None:
            with open(temporary, "wb") as file:
                file.write(data)
            os.replace(temporary, path)

        await self._write(key, write)

    async def get(self, key: str) -> bytes:
        """Returns a file's bytes."""
        return await self._read(key, _bytes_of)

    async def pages(self, prefix: str) -> AsyncGenerator[dict[str, float], None]:
        """Walks the folder; temporary files are left out."""
        files: Iterator[tuple[str, float]] | None = None

        def next_page(folder: str) -> dict[str, float]:
            nonlocal files
            files = files or _files_below(folder, prefix)
            return dict(itertools.islice(files, PAGE))

        with contextlib.suppress(FileNotFoundError):
            while page := await self._read(prefix, next_page):
                yield page

    async def written_at(self, key: str) -> float:
        """Returns the file's modification time."""
        return await self._read(key, os.path.getmtime)

    async def create_file(self, path: Path, key: str) -> None:
        """Copies a file into the store by a hard link to the copy, which fails where the key exists."""

        def write(target: str, temporary: str) -> None:
            shutil.copyfile(path, temporary)
            os.link(temporary, target)

        await self._write(key, write)

    async def put_file(self, path: Path, key: str) -> None:
        """Copies a file into the store."""

        def write(target: str, temporary: str) -> None:
            shutil.copyfile(path, temporary)
            os.replace(temporary, target)

        await self._write(key, write)

    async def get_file(self, key: str, path: Path) -> None:
        """Copies a file out of the store."""
        await self._read(key, lambda source: shutil.copyfile(source, path))

    async def remove(self, key: str) -> None:
        """Removes a file; the folder that held it stays."""
        await self._read(key, os.unlink)

    async def remove_folder(self, prefix: str) -> None:
        """Removes a folder. Files that are written meanwhile may stay."""

        def remove(folder: str) -> None:
            with contextlib.suppress(OSError):  # a file was written into it in the meantime
                shutil.rmtree(folder)

        await self._read(prefix, remove)

    async def put_folder(self, folder: Path, prefix: str) -> None:
        """Renames the folder; one on another disk is copied first."""

        def write(target: str, temporary: str) -> None:
            try:
                _rename(str(folder), target)
            except OSError as error:
                if error.errno != errno.EXDEV:
                    raise
                shutil.copytree(folder, temporary)
                _rename(temporary, target)

        await self._write(prefix, write)

    async def get_folder(self, prefix: str, folder: Path) -> None:
        """Copies a folder out of the store."""
        await self._read(prefix, lambda source: shutil.copytree(source, folder, dirs_exist_ok=True))

    async def local_folder(self, prefix: str, keep: Collection[str] = ()) -> Path:
        """Returns the store's own folder, without a copy."""
        await self._read(prefix, lambda folder: os.scandir(folder).close())
        return Path(self._path(prefix))

    async def get_from_folder(self, prefix: str, name: str) -> bytes:
        """Returns one file of a folder."""
        return await self.get(f"{prefix}/{name}")

    def _path(self, key: str) -> str:
        if key.startswith("/") or ".." in key.split("/"):
            raise FileNotFoundError(f"{key!r} is no key.")
        return os.path.join(self._root, key)

    async def _read(self, key: str, read: Callable[[str], T]) -> T:
        """Returns what `read` makes of the key's path; raises FileNotFoundError where the key alone is missing."""

        def read_or_check() -> T:
            try:
                return read(self._path(key))
            except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
                self._check()
                raise FileNotFoundError from None

        return await asyncio.get_running_loop().run_in_executor(_THREADS, read_or_check)

    async def _write(self, key: str, write: Callable[[str, str], None]) -> None:
        """Makes the key's folder where it is missing and calls `write` with the key's path and a temporary one."""
        path = self._path(key)

        def make_folder_and_write() -> None:
            self._check()
            try:
                os.makedirs(os.path.dirname(path), exist_ok=True)
            except FileExistsError as error:  # passed on, this would say that the object itself exists
                raise NotADirectoryError(f"a file is in the way: {error.filename}") from None
            with self._temporary.new_path() as temporary:
                write(path, temporary)

        await asyncio.get_running_loop().run_in_executor(_THREADS, make_folder_and_write)

    def _check(self) -> None:
        """Raises OSError when the store itself is gone, such as a disk that is no longer mounted."""
        if not os.path.isdir(self._temporary.path):
            raise OSError(f"the folder {self._root} is gone")


def _files_below(folder: str, prefix: str) -> Iterator[tuple[str, float]]:
    """Yields the key and the modification time of each file."""
    with os.scandir(folder) as entries:
        for entry in entries:
            key = f"{prefix}/{entry.name}" if prefix else entry.name
            if entry.is_dir():
                yield from _files_below(entry.path, key) if entry.name != TEMPORARY else ()
            else:
                with contextlib.suppress(FileNotFoundError):  # removed in the meantime
                    yield key, entry.stat().st_mtime


def _bytes_of(path: str) -> bytes:
    with open(path, "rb") as file:
        return file.read()


def _rename(folder: str, target: str) -> None:
    """Renames a folder; where another writer was faster its folder stays."""
    try:
        os.rename(folder, target)
    except OSError:
        if not os.path.isdir(target):
            raise
