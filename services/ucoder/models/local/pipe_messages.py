"""Messages between the local model and its worker processes: a length in four bytes, then that many bytes of JSON."""

import asyncio
import json
import struct
from typing import Any, BinaryIO

_LENGTH = struct.Struct(">I")


def pack(message: dict[str, Any]) -> bytes:
    """Returns a message in the form that is written to a pipe."""
    body = json.dumps(message).encode()
    return _LENGTH.pack(len(body)) + body


def read(stream: BinaryIO) -> dict[str, Any] | None:
    """Returns the next message, or None at the end of the stream; blocks until then."""
    head = stream.read(_LENGTH.size)
    if len(head) < _LENGTH.size:
        return None
    body = stream.read(_LENGTH.unpack(head)[0])
    return json.loads(body)  # type: ignore[no-any-return]


async def receive(stream: asyncio.StreamReader) -> dict[str, Any] | None:
    """Returns the next message, or None at the end of the stream, without blocking the event loop."""
    try:
        head = await stream.readexactly(_LENGTH.size)
        return json.loads(await stream.readexactly(_LENGTH.unpack(head)[0]))  # type: ignore[no-any-return]
    except asyncio.IncompleteReadError:
        return None
