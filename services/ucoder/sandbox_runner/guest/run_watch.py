"""The watch over the fork of a program that is run for its output: passes on what it writes, says when it must end, and
sends the files that are wished for.

Such a program holds nothing but the two pipes that it writes to. Its output, exit code and files
are read by this process, so what it does to its own process changes no report about it.
"""

import contextlib
import os
import select
import stat
import time
from typing import Any

from ucoder.sandbox_runner.guest import cell_protocol as protocol
from ucoder.sandbox_runner.guest.cell_protocol import OutputWish, read_available, send, take_frames
from ucoder.sandbox_runner.guest.fork import BUSY_SHARE, GRACE_SECONDS, Fork, has_ended, processor_seconds

SHORTEST_MS, LONGEST_MS = 1, 20
"""Milliseconds between two checks of a fork that writes nothing."""
LONGEST_EXTRA = 5.0
"""Seconds beyond the wall limit for a program that computes for much of its time, as on a loaded machine. Callers over
HTTP wait a few seconds more than the limit, so this must be less."""
MOST_FETCHED = 32 << 20
"""Bytes of all files together that a run may return."""
PART = 1 << 20
"""The largest part of a file in one frame."""
FIRST_FILE = 2
"""The number of the stream of the first file; 0 and 1 are stdout and stderr."""
sent = [0, 0]
"""Bytes of stdout and of stderr that were passed on, one more than the limit where output was cut."""


def watch_run(fork: Fork, limits: dict[str, Any], wish: OutputWish) -> str:
    """Passes output on until the program ends or must be ended; returns the reason."""
    sent[:] = [0, 0]
    poll = select.poll()
    for pipe in fork.run_outputs:
        poll.register(pipe, select.POLLIN)
    started = alive_at = time.monotonic()
    pause = SHORTEST_MS
    while True:
        events = poll.poll(pause)
        for pipe, event in events:
            if not pass_on(fork.run_outputs.index(pipe), pipe, wish) and event & select.POLLHUP:
                poll.unregister(pipe)
        if has_ended(fork.child):
            reported, _ = take_frames(bytearray(read_available(fork.reports)))
            return protocol.NO_COMMAND if reported else protocol.EXITED
        now = time.monotonic()
        spent, elapsed = processor_seconds(fork.child, fork.used) - fork.used, now - started
        if spent > limits["cpu_seconds"] + GRACE_SECONDS:
            return protocol.TIMEOUT_CPU
        extra = min(LONGEST_EXTRA, limits["wall_seconds"] / 2) if spent > BUSY_SHARE * elapsed else 0.0
        if elapsed > limits["wall_seconds"] + extra:
            return protocol.TIMEOUT_WALL
        if now - alive_at > 1.0:
            alive_at = now
            send((protocol.ALIVE, b""))
        pause = SHORTEST_MS if events else min(2 * pause, LONGEST_MS)


def send_rest(fork: Fork, wish: OutputWish) -> None:
    """Sends what is still in the pipes, and then the files that are wished for and exist."""
    for number, pipe in enumerate(fork.run_outputs):
        while pass_on(number, pipe, wish):
            pass
    left = MOST_FETCHED
    for number, path in enumerate(wish["fetch"], FIRST_FILE):
        with contextlib.suppress(OSError, ValueError):
            left -= send_file(number, os.path.join(fork.place.folder, path), left)


def pass_on(number: int, pipe: int, wish: OutputWish) -> bool:
    """Passes on what a pipe holds, up to the limit; returns whether it held anything."""
    data = read_available(pipe)
    fit = data[: max(0, wish["most_bytes"] + 1 - sent[number])]  # the byte beyond the limit tells that more was cut
    if fit:
        sent[number] += len(fit)
        send((protocol.OUTPUT, bytes([number]) + fit))
    return bool(data)


def send_file(number: int, path: str, most: int) -> int:
    """Sends a regular file, up to one byte more than `most`; returns how many bytes it sent. Raises OSError."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW)
    total = 0
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            return 0
        send((protocol.OUTPUT, bytes([number])))  # an empty file exists too
        while total <= most and (part := os.read(descriptor, min(PART, most + 1 - total))):
            send((protocol.OUTPUT, bytes([number]) + part))
            total += len(part)
    finally:
        os.close(descriptor)
    return total
