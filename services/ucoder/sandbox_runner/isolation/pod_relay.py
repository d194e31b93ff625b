"""`python relay.py SOCKET SEED [anywhere]`: joins its standard input and output to a cell container. Standard library
only.

The container may still be starting, so connecting is tried for a while. Its first line names its kernel, and unless
`anywhere` is said, nothing is sent to one that is not under gVisor; the line sent is the seed of the guest's hashes
(deploy/cell.py).
"""

import os
import socket
import sys
import threading
import time

PATIENCE, PAUSE = 25.0, 0.1  # seconds


def connect(address: str) -> socket.socket:
    """The open connection; OSError when nobody listens for as long as patience lasts."""
    deadline = time.monotonic() + PATIENCE
    while True:
        door = socket.socket(socket.AF_UNIX)
        try:
            door.connect(address)
            return door
        except OSError:
            door.close()
            if time.monotonic() > deadline:
                raise
            time.sleep(PAUSE)


def line(door: socket.socket) -> bytes:
    """The first line, read byte by byte, for frames follow."""
    text = b""
    while not text.endswith(b"\n") and len(text) < 20:
        if not (byte := door.recv(1)):
            break
        text += byte
    return text


def main(address: str, seed: str, where: str = "gVisor") -> None:
    """Pumps both ways until the guest ends."""
    door = connect(address)
    if line(door) != b"gVisor\n" and where != "anywhere":
        raise SystemExit(f"the cell container behind {address} does not run under gVisor")
    door.sendall(f"{int(seed)}\n".encode())

    def inward() -> None:
        while data := os.read(0, 1 << 16):
            door.sendall(data)
        door.shutdown(socket.SHUT_WR)

    threading.Thread(target=inward, daemon=True).start()
    while data := door.recv(1 << 16):
        while data:
            data = data[os.write(1, data) :]


if __name__ == "__main__":
    main(*sys.argv[1:])
