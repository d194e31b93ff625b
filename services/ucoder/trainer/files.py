"""Files and folders that appear whole or not at all, and survive a power cut once they have appeared."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path


def place_folder(out: Path, fill: Callable[[Path], None]) -> None:
    """`fill` writes into a folder beside `out`, which is synced and renamed. What a killed try left is replaced."""
    aside = out.with_name(out.name + ".partial")
    shutil.rmtree(aside, ignore_errors=True)
    aside.mkdir(parents=True)
    try:
        fill(aside)
        for file in aside.rglob("*"):
            _sync(file)
        _sync(aside)
        aside.rename(out)
        _sync(out.parent)
    except BaseException:
        shutil.rmtree(aside, ignore_errors=True)
        raise


def place_file(path: Path, fill: Callable[[Path], None]) -> None:
    """The same for one file, which may replace an older one."""
    aside = path.with_name(path.name + ".partial")
    try:
        fill(aside)
        _sync(aside)
        aside.replace(path)
    except BaseException:
        aside.unlink(missing_ok=True)
        raise


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
