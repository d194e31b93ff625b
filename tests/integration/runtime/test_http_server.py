"""Tests the listening sockets of HTTP servers: both families of addresses, and an address that is no address."""

import socket
import urllib.request

import pytest
from tests.s3 import free_ports

from ucoder.errors import Misconfigured
from ucoder.runtime.http_server import listening_socket
from ucoder.runtime.metrics import Metrics

needs_both = pytest.mark.skipif(not socket.has_dualstack_ipv6(), reason="this machine has no IPv6")


@needs_both
def test_the_wildcard_of_ipv6_accepts_both_families() -> None:
    with listening_socket("[::]:0", "LISTEN") as listener:
        port = listener.getsockname()[1]
        for host in ("127.0.0.1", "::1"):
            socket.create_connection((host, port), timeout=5).close()
    with listening_socket("[::1]:0", "LISTEN") as listener:
        socket.create_connection(listener.getsockname()[:2], timeout=5).close()


@needs_both
def test_metrics_are_served_to_both_families() -> None:
    [port] = free_ports(1)
    Metrics().serve(port)
    for host in ("127.0.0.1", "[::1]"):
        with urllib.request.urlopen(f"http://{host}:{port}/metrics", timeout=5) as answer:
            assert b"ucoder_dead_letters" in answer.read()


def test_an_address_of_nobody_is_misconfigured() -> None:
    for address in ("nonsense", "nobody.invalid:7070"):
        with pytest.raises(Misconfigured, match="LISTEN"):
            listening_socket(address, "LISTEN")
