"""JSON lines in, plain or gzip: one object after another, what is wrong named by file and line."""

import gzip
import json
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ucoder.errors import Misconfigured


def read(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """Objects with their line numbers; empty lines are skipped.

    Raises Misconfigured on a file that cannot be read or is cut off, and on a line that is no object.
    """
    number = 0
    try:
        with path.open("rb") as raw:
            zipped = raw.read(2) == b"\x1f\x8b"
        with gzip.open(path, "rt", encoding="utf-8") if zipped else path.open(encoding="utf-8") as file:
            for number, line in enumerate(file, 1):
                if not line.strip():
                    continue
                try:
                    value = json.loads(line)
                except (ValueError, RecursionError) as error:
                    raise Misconfigured(f"{path}:{number}: not JSON: {error}.") from None
                if not isinstance(value, dict):
                    raise Misconfigured(f"{path}:{number}: expected an object, found a {type(value).__name__}.")
                yield number, value
    except EOFError:
        raise Misconfigured(f"{path}:{number + 1}: the file is cut off here; fetch it again.") from None
    except UnicodeDecodeError as error:
        raise Misconfigured(f"{path}:{number + 1}: not UTF-8 text: {error.reason}.") from None
    except (OSError, zlib.error) as error:
        where = f"{path}:{number + 1}" if number else path
        raise Misconfigured(f"{where}: {getattr(error, 'strerror', None) or error}.") from None
