"""Where what is not finished lies until it gets its name, on the same disk as what will have the name."""

import contextlib
import os
import shutil
import time
import uuid
from collections.abc import Iterator

LEFT_SECONDS = 24 * 3600.0
"""Nobody writes for so long: what is older was left by somebody who was killed."""


class TemporaryFiles:
    """One folder of them."""

    def __init__(self, folder: str) -> None:
        """Makes the folder and takes away what was left there. Raises OSError when it cannot be made."""
        self.folder = folder
        os.makedirs(folder, exist_ok=True)
        with os.scandir(folder) as entries:
            for entry in entries:
                with contextlib.suppress(OSError):
                    if entry.stat().st_mtime < time.time() - LEFT_SECONDS:
                        _remove(entry.path)

    @contextlib.contextmanager
    def one(self) -> Iterator[str]:
        """A path of nobody else's; what still lies there at the end is removed."""
        path = os.path.join(self.folder, uuid.uuid4().hex)
        try:
            yield path
        finally:
            _remove(path)


def _remove(path: str) -> None:
    with contextlib.suppress(FileNotFoundError):
        try:
            os.unlink(path)
        except IsADirectoryError:
            shutil.rmtree(path, ignore_errors=True)
