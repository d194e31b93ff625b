"""Connects its standard input and output to a cell container: `python pod_relay.py SOCKET SEED [anywhere]`.

The container may still be starting, so the connection is tried for a while. Its first line names its kernel. Unless
`anywhere` is given, nothing is sent to a container that is not under gVisor. The line sent then is the seed of the
guest's hashes (deploy/cell.py). Uses the standard library alone.
"""

import os
import socket
import sys
import threading
import time

MOST_SECONDS, PAUSE_SECONDS = 25.0, 0.1
"""How long a connection is tried, and the pause between two attempts."""


def connect(address: str) -> socket.socket:
    """Returns the open connection; raises OSError when nobody listens for `MOST_SECONDS`."""
    deadline = time.monotonic() + MOST_SECONDS
    while True:
        connection = socket.socket(socket.AF_UNIX)
        try:
            connection.connect(address)
            return connection
        except OSError:
            connection.close()
            if time.monotonic() > deadline:
                raise
            time.sleep(PAUSE_SECONDS)


def first_line(connection: socket.socket) -> bytes:
    """Reads the first line, byte by byte because frames follow it."""
    text = b""
    while not text.endswith(b"\n") and len(text) < 20:
        if not (byte := connection.recv(1)):
            break
        text += byte
    return text


def main(address: str, seed: str, where: str = "gVisor") -> None:
    """Copies data in both directions until the guest ends."""
    connection = connect(address)
    if first_line(connection) != b"gVisor\n" and where != "anywhere":
        raise SystemExit(f"the cell container behind {address} does not run under gVisor")
    connection.sendall(f"{int(seed)}\n".encode())

    def send_input() -> None:
        while data := os.read(0, 1 << 16):
            connection.sendall(data)
        connection.shutdown(socket.SHUT_WR)

    threading.Thread(target=send_input, daemon=True).start()
    while data := connection.recv(1 << 16):
        while data:
            data = data[os.write(1, data) :]


if __name__ == "__main__":
    main(*sys.argv[1:])
