"""Frames between processes: four bytes of length, then that many bytes. The host's begin with a tag, a fork's have
none, and an empty one only says that the fork is at work.
"""

import contextlib
import os
import sys

PIPE = 1 << 20
"""Bytes that a fork can report before it waits to be read."""


def read_exactly(descriptor: int, size: int) -> bytes:
    data = b""
    while len(data) < size:
        more = os.read(descriptor, min(1 << 16, size - len(data)))
        if not more:
            sys.exit(0)
        data += more
    return data


def send(*messages: tuple[bytes, bytes]) -> None:
    """Frames for the host: each a tag and a payload."""
    data = b"".join((len(payload) + 1).to_bytes(4, "big") + tag + payload for tag, payload in messages)
    while data:
        data = data[os.write(1, data) :]


def drained(pipe: int) -> bytes:
    """What lies in a pipe, as much as it holds."""
    with contextlib.suppress(BlockingIOError):
        return os.read(pipe, PIPE)
    return b""


def taken(buffered: bytearray) -> tuple[list[bytes], int]:
    """Takes the whole frames off the front: those that say something, and how many were empty."""
    payloads, beats, at = [], 0, 0
    while len(buffered) >= at + 4:
        end = at + 4 + int.from_bytes(buffered[at : at + 4], "big")
        if len(buffered) < end:
            break
        if end > at + 4:
            payloads.append(bytes(buffered[at + 4 : end]))
        else:
            beats += 1
        at = end
    del buffered[:at]
    return payloads, beats
