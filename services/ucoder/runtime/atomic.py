"""Atomic writes: a file or a folder gets its final name only when it is complete.

Everything is first written under a temporary name on the same disk and then renamed, so a reader never sees half of it.
A temporary file that a killed process left is replaced by the next attempt and never blocks it.
"""

import contextlib
import os
import shutil
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

ABANDONED_SECONDS = 24 * 3600.0
"""A temporary file that nobody has changed for this long belongs to a process that was killed."""


def partial_path(path: Path) -> Path:
    """Returns the temporary name beside `path`: `report.json.partial` for `report.json`."""
    return path.with_name(path.name + ".partial")


@contextlib.contextmanager
def atomic_file(path: Path, *, durable: bool = False) -> Iterator[Path]:
    """Yields a temporary path; the file written there takes the place of `path` when the block succeeds.

    `durable` makes the file survive a power failure once it has its final name.
    """
    temporary = partial_path(path)
    _remove(temporary)
    try:
        yield temporary
        if durable:
            for written in (*temporary.rglob("*"), temporary):
                _sync(written)
        temporary.replace(path)
        if durable:
            _sync(path.parent)
    except BaseException:
        _remove(temporary)
        raise


@contextlib.contextmanager
def atomic_folder(path: Path, *, durable: bool = False) -> Iterator[Path]:
    """Yields an empty temporary folder; it becomes `path`, which must not exist, as a file does in `atomic_file`.

    Parent folders are made.
    """
    with atomic_file(path, durable=durable) as temporary:
        temporary.mkdir(parents=True)
        yield temporary


def write_text(path: Path, text: str) -> None:
    """Writes a text file atomically."""
    with atomic_file(path) as temporary:
        temporary.write_text(text)


class TemporaryFolder:
    """A folder for the temporary files of many writers at once, such as the processes that share one store."""

    def __init__(self, path: str) -> None:
        """Makes the folder and removes abandoned files from it. Raises OSError when it cannot be made."""
        self.path = path
        os.makedirs(path, exist_ok=True)
        with os.scandir(path) as entries:
            for entry in entries:
                with contextlib.suppress(OSError):
                    if entry.stat().st_mtime < time.time() - ABANDONED_SECONDS:
                        _remove(entry.path)

    @contextlib.contextmanager
    def new_path(self) -> Iterator[str]:
        """Yields a path that no other writer uses. Whatever still exists there at the end is removed."""
        path = os.path.join(self.path, uuid.uuid4().hex)
        try:
            yield path
        finally:
            _remove(path)


def _remove(path: str | Path) -> None:
    """Removes a file or a whole folder; one that does not exist is no error."""
    with contextlib.suppress(FileNotFoundError):
        try:
            os.unlink(path)
        except IsADirectoryError:
            shutil.rmtree(path, ignore_errors=True)


def _sync(path: Path) -> None:
    """Flushes a file or folder to the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
