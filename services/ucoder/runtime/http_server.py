"""A listening socket for HTTP: opened before anybody is told of it, so a taken port is an error and no log line."""

import os
import socket

from ucoder.errors import Misconfigured

BACKLOG = 1024


def listening_socket(address: str, given_as: str) -> socket.socket:
    """At HOST:PORT, [IPV6]:PORT or :PORT (loopback); port 0 takes a free one. Misconfigured begins with `given_as`,
    the flag or variable with its address.
    """
    host, _, port = address.rpartition(":")
    try:
        return socket.create_server((host.strip("[]") or "127.0.0.1", int(port)), backlog=BACKLOG)
    except (OSError, ValueError, OverflowError) as error:
        code = getattr(error, "errno", None) or 0  # the text of some of these errors repeats the address
        words = os.strerror(code) if code > 0 else str(error)
        raise Misconfigured(f"{given_as}: {words}; give another HOST:PORT.") from None
