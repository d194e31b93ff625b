"""Rows of a public file: JSON lines or Parquet, here or in a dataset on the Hugging Face hub."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ucoder.errors import Misconfigured
from ucoder.runtime import json_lines

HUB = "hf://datasets/"
BATCH = 64
"""Rows of a Parquet file in memory at once; some hold megabytes of tests."""


def read_rows(name: str) -> Iterator[tuple[int, dict[str, Any]]]:
    """Objects with their line or row numbers. Raises Misconfigured: unreadable, cut off, no object, not on the hub."""
    path = Path(name) if not name.startswith(HUB) else _fetched(name)
    return _parquet(path) if path.suffix == ".parquet" else json_lines.read(path)


def _parquet(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    import pyarrow.parquet as pq
    from pyarrow import ArrowException

    done = 0
    try:
        with pq.ParquetFile(path) as file:
            for batch in file.iter_batches(BATCH):
                yield from enumerate(batch.to_pylist(), done + 1)
                done += len(batch)
    except (OSError, ArrowException) as error:
        raise Misconfigured(f"{path}:{done + 1}: this Parquet file cannot be read from here on: {error}.") from None


def _fetched(name: str) -> Path:
    """The file `hf://datasets/OWNER/NAME[@REVISION]/PATH` in the hub's cache, fetched when it is not there yet."""
    owner, _, rest = name.removeprefix(HUB).partition("/")
    dataset, _, path = rest.partition("/")
    dataset, _, revision = dataset.partition("@")
    if not (owner and dataset and path):
        raise Misconfigured(f"{name}: write {HUB}OWNER/NAME/FILE, or {HUB}OWNER/NAME@REVISION/FILE.")
    try:
        from huggingface_hub import hf_hub_download
    except ImportError:
        raise Misconfigured(f"{name}: the hub's client is not here: pip install 'ucoder[local]'.") from None
    try:
        return Path(hf_hub_download(f"{owner}/{dataset}", path, repo_type="dataset", revision=revision or None))
    except (OSError, ValueError) as error:  # all of the hub's errors are one of these
        words = " ".join(str(error).split())
        raise Misconfigured(f"{name}: {words[:300]} Or give a file that is here.") from None
