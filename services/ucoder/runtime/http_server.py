"""The listening socket of an HTTP server, opened before the server starts, so that a taken port is an error."""

import os
import socket

from ucoder.errors import Misconfigured

BACKLOG = 1024


def listening_socket(address: str, given_as: str) -> socket.socket:
    """Returns a socket that listens at HOST:PORT, [IPV6]:PORT or :PORT (loopback); port 0 takes a free one.

    [::]:PORT listens on all addresses of both families where the machine has both.

    Raises Misconfigured, which begins with `given_as`: the flag or variable with its address.
    """
    host, _, port = address.rpartition(":")
    host = host.strip("[]") or "127.0.0.1"
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    both = host == "::" and socket.has_dualstack_ipv6()
    try:
        return socket.create_server((host, int(port)), family=family, backlog=BACKLOG, dualstack_ipv6=both)
    except (OSError, ValueError, OverflowError) as error:
        code = getattr(error, "errno", None) or 0  # the text of some of these errors repeats the address
        reason = os.strerror(code) if code > 0 else str(error)
        raise Misconfigured(f"{given_as}: {reason}; give another HOST:PORT.") from None
