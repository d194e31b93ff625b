"""Reads rows of dataset files: JSON lines (plain or gzip) and Parquet, on this machine or on the Hugging Face hub."""

import gzip
import itertools
import json
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ucoder.errors import Misconfigured

HUB = "hf://datasets/"
PARQUET_BATCH = 64
"""Rows of a Parquet file in memory at once; some hold megabytes of tests."""
NumberedRow = tuple[int, dict[str, Any]]


def read_rows(name: str) -> Iterator[NumberedRow]:
    """Yields objects with their line or row numbers, from a path or from `hf://datasets/OWNER/NAME[@REVISION]/FILE`.

    Raises Misconfigured when the file cannot be read, is cut off, holds a row that is no object, or is not on the hub.
    """
    path = Path(name) if not name.startswith(HUB) else _downloaded(name)
    return _read_parquet(path) if path.suffix == ".parquet" else read_json_lines(path)


def read_json_lines(path: Path) -> Iterator[NumberedRow]:
    """Yields objects with their line numbers; empty lines are skipped. A file that is one JSON array gives its items
    with their places.

    Raises Misconfigured, naming file and line, when the file cannot be read or is cut off, or a line is no object.
    """
    number = 0
    try:
        with path.open("rb") as raw:
            zipped = raw.read(2) == b"\x1f\x8b"
        with gzip.open(path, "rt", encoding="utf-8-sig") if zipped else path.open(encoding="utf-8-sig") as file:
            first = file.readline()
            if first.lstrip().startswith("["):
                yield from _items_of_array(path, first + file.read())
                return
            for number, line in enumerate(itertools.chain([first], file), 1):
                if not line.strip():
                    continue
                try:
                    value = json.loads(line)
                except (ValueError, RecursionError) as error:
                    raise Misconfigured(f"{path}:{number}: not JSON: {error}.") from None
                yield _numbered_row(path, number, value)
    except EOFError:
        raise Misconfigured(f"{path}:{number + 1}: the file is cut off here; download it again.") from None
    except UnicodeDecodeError as error:
        raise Misconfigured(f"{path}:{number + 1}: not UTF-8 text: {error.reason}.") from None
    except (OSError, zlib.error) as error:
        where = f"{path}:{number + 1}" if number else path
        raise Misconfigured(f"{where}: {getattr(error, 'strerror', None) or error}.") from None


def _items_of_array(path: Path, text: str) -> Iterator[NumberedRow]:
    try:
        items = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise Misconfigured(f"{path}:{getattr(error, 'lineno', 1)}: not JSON: {error}.") from None
    for number, item in enumerate(items, 1):
        yield _numbered_row(path, number, item)


def _numbered_row(path: Path, number: int, value: object) -> NumberedRow:
    if not isinstance(value, dict):
        raise Misconfigured(f"{path}:{number}: expected an object, found {str(value)[:60]}.")
    return number, value


def _read_parquet(path: Path) -> Iterator[NumberedRow]:
    import pyarrow.parquet as pq
    from pyarrow import ArrowException

    done = 0
    try:
        with pq.ParquetFile(path) as file:
            for batch in file.iter_batches(PARQUET_BATCH):
                yield from enumerate(batch.to_pylist(), done + 1)
                done += len(batch)
    except (OSError, ArrowException) as error:
        raise Misconfigured(f"{path}:{done + 1}: this Parquet file cannot be read from here on: {error}.") from None


def _downloaded(name: str) -> Path:
    """Returns the file in the hub's local cache; downloads it when it is not there yet."""
    owner, _, rest = name.removeprefix(HUB).partition("/")
    dataset, _, path = rest.partition("/")
    dataset, _, revision = dataset.partition("@")
    if not (owner and dataset and path):
        raise Misconfigured(f"{name}: write {HUB}OWNER/NAME/FILE, or {HUB}OWNER/NAME@REVISION/FILE.")
    try:
        from huggingface_hub import hf_hub_download
    except ImportError:
        raise Misconfigured(f"{name}: the hub's client is not installed: pip install 'ucoder[local]'.") from None
    try:
        return Path(hf_hub_download(f"{owner}/{dataset}", path, repo_type="dataset", revision=revision or None))
    except (OSError, ValueError) as error:  # all of the hub's errors are one of these
        reason = " ".join(str(error).split())
        raise Misconfigured(f"{name}: {reason[:300]} Or give a file on this machine.") from None
