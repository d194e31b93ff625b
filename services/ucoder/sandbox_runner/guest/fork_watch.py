"""The watch over one fork: passes its reports on to the host, and says when it must end."""

import os
import signal
import time

from ucoder.sandbox_runner.guest import cell_protocol as protocol
from ucoder.sandbox_runner.guest.cell_protocol import JobHead, read_available, send, take_frames
from ucoder.sandbox_runner.guest.fork import Fork, processor_seconds

GRACE_SECONDS = 0.1
"""Processor time beyond the limit of a test before the fork is ended from outside."""
BUSY_SHARE, BUSY_FACTOR = 0.3, 10
"""A fork that used this share of its processor time is not waiting by itself: a loaded machine makes it wait. Its wall
limit is this many times longer."""
INTERPRETER_SECONDS = 2.0
"""Processor time that another language's interpreter may take to start, beyond the limit of its first test."""
LARGEST_REPORT = 8 << 20
SHORTEST_PAUSE, LONGEST_PAUSE = 0.002, 0.05
"""Seconds between two checks of a fork."""


def watch(fork: Fork, head: JobHead) -> str:
    """Passes reports on until the fork ends or must be ended; returns the reason."""
    limits, child = head["limits"], fork.child
    allowed = limits["cpu_seconds"] + GRACE_SECONDS
    starting = INTERPRETER_SECONDS if head["interpreter"] else 0.0
    spent, heard = fork.used, time.monotonic()
    reports, alive_at, pause = 0, heard, SHORTEST_PAUSE
    reading = True  # its job, which is not charged to the first test
    buffered = bytearray()
    while True:
        signal.sigtimedwait([signal.SIGCHLD], pause)
        ended = has_ended(child)
        fresh = read_available(fork.reports)
        buffered += fresh
        payloads, heartbeats = take_frames(buffered)
        fit = [payload for payload in payloads if len(payload) <= LARGEST_REPORT][: head["most_reports"] - reports]
        send(*((protocol.REPORT, payload) for payload in fit))
        reports += len(fit)
        if len(fit) < len(payloads):
            return protocol.REPORTED_TOO_MUCH
        if ended:
            return protocol.EXITED
        now = time.monotonic()
        starting = 0.0 if payloads else starting
        if payloads or (heartbeats and (head["shared"] or reading)):
            reading = False
            heard, spent = now, processor_seconds(child, spent)
        elif len(buffered) > LARGEST_REPORT:
            return protocol.REPORTED_TOO_MUCH
        elif processor_seconds(child, spent) - spent > allowed + starting:
            return protocol.TIMEOUT_CPU
        if now - heard > limits["wall_seconds"]:
            busy = processor_seconds(child, spent) - spent > BUSY_SHARE * allowed
            if not busy or now - heard > BUSY_FACTOR * limits["wall_seconds"]:
                return protocol.TIMEOUT_WALL
        if now - alive_at > 1.0:
            alive_at = now
            send((protocol.ALIVE, b""))
        pause = SHORTEST_PAUSE if len(fresh) > protocol.PIPE_BYTES // 2 else min(2 * pause, LONGEST_PAUSE)


def has_ended(child: int) -> bool:
    """Returns whether a child has ended, and leaves it to be waited for."""
    return os.waitid(os.P_PID, child, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None
