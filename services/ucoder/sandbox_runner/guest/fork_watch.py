"""Watching one fork: what it reports goes to the host, and it ends when it says too much or takes too long."""

import os
import signal
import time
from typing import Any

from ucoder.sandbox_runner.guest.fork import Fork, processor_seconds
from ucoder.sandbox_runner.guest.frames import PIPE, drained, send, taken

GRACE = 0.1
BUSY, PATIENCE = 0.3, 10
"""A fork that has used this share of its processor time does not wait, it is made to wait by a loaded machine: its wall
limit is so many times longer."""
INTERPRETER = 2.0
"""Processor seconds that another language's interpreter may take to start, beyond the limit of its first test."""
LARGEST_REPORT = 8 << 20
SOONEST, LATEST = 0.002, 0.05
"""Seconds between looks at a fork."""


def watch(fork: Fork, head: dict[str, Any]) -> str:
    """Relays reports until the fork ends or must be ended: returns exit, timeout_cpu, timeout_wall or talk (it says
    too much)."""
    limits, child = head["limits"], fork.child
    allowed = limits["cpu_seconds"] + GRACE
    starting = INTERPRETER if head["interpreter"] else 0.0
    spent, heard = fork.used, time.monotonic()
    messages, beat, pause = 0, heard, SOONEST
    buffered = bytearray()
    while True:
        signal.sigtimedwait([signal.SIGCHLD], pause)
        ended = has_ended(child)
        fresh = drained(fork.reports)
        buffered += fresh
        payloads, beats = taken(buffered)
        fit = [payload for payload in payloads if len(payload) <= LARGEST_REPORT][: head["most_reports"] - messages]
        send(*((b"R", payload) for payload in fit))
        messages += len(fit)
        if len(fit) < len(payloads):
            return "talk"
        if ended:
            return "exit"
        now = time.monotonic()
        starting = 0.0 if payloads else starting
        if payloads or (beats and head["shared"]):
            heard, spent = now, processor_seconds(child, spent)
        elif len(buffered) > LARGEST_REPORT:
            return "talk"
        elif processor_seconds(child, spent) - spent > allowed + starting:
            return "timeout_cpu"
        if now - heard > limits["wall_seconds"]:
            busy = processor_seconds(child, spent) - spent > BUSY * allowed
            if not busy or now - heard > PATIENCE * limits["wall_seconds"]:
                return "timeout_wall"
        if now - beat > 1.0:
            beat = now
            send((b"B", b""))
        pause = SOONEST if len(fresh) > PIPE // 2 else min(2 * pause, LATEST)


def has_ended(child: int) -> bool:
    return os.waitid(os.P_PID, child, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None
