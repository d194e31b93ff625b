"""The first process of a cell container, beside the sandbox-runner in a pod under gVisor: `python3 cell.py SOCKET`.

It listens on a Unix socket that the runner connects to. A connection begins with a line, the seed of the guest's
hashes, and is from then on the standard input and output of a fresh guest; one at a time, everything else in the
container dead and /tmp empty in between. Once it listens it gives up the `socket` system call for itself and all it
will ever start: no program reaches a network or connects back here, though the pod has a network. Standard library
only; the image holds nothing else.
"""

import contextlib
import ctypes
import os
import platform
import shutil
import signal
import socket
import struct
import sys
from pathlib import Path

GUEST = "import sys; sys.path.insert(0, {!r}); from ucoder.sandbox_runner.guest.init import main; main()"
SOCKET_CALL = {"x86_64": (0xC000003E, 41), "aarch64": (0xC00000B7, 198)}
NO_NEW_PRIVILEGES, SECCOMP, FILTER = 38, 22, 2  # of prctl


def listen(path: Path) -> socket.socket:
    """The socket at `path`, in place of what an earlier life of this container left."""
    path.unlink(missing_ok=True)
    door = socket.socket(socket.AF_UNIX)
    door.bind(str(path))
    path.chmod(0o666)  # the runner is another user; nobody but the runner's container and ours has the folder
    door.listen(4)
    return door


def forbid_sockets() -> None:
    """A seccomp filter: `socket` answers EACCES, other architectures' system calls kill. Inherited, for ever."""
    architecture, number = SOCKET_CALL[platform.machine()]
    lines = [
        (0x20, 0, 0, 4),  # load the architecture
        (0x15, 1, 0, architecture),
        (0x06, 0, 0, 0x80000000),  # kill
        (0x20, 0, 0, 0),  # load the system call's number
        (0x15, 0, 1, number),
        (0x06, 0, 0, 0x00050000 | 13),  # EACCES
        (0x06, 0, 0, 0x7FFF0000),  # allow
    ]
    code = b"".join(struct.pack("=HBBI", *line) for line in lines)
    kept = ctypes.create_string_buffer(code, len(code))
    header = struct.pack("HxxxxxxP", len(lines), ctypes.addressof(kept))
    prctl = ctypes.CDLL(None, use_errno=True).prctl
    if prctl(NO_NEW_PRIVILEGES, 1, 0, 0, 0) or prctl(SECCOMP, FILTER, header, 0, 0):
        raise SystemExit(f"cell: cannot forbid sockets: {os.strerror(ctypes.get_errno())}")


def serve(connection: socket.socket, guest: str) -> None:
    """One guest from its first frame to its end."""
    child = os.fork()
    if child == 0:
        os.dup2(connection.fileno(), 0)
        os.dup2(connection.fileno(), 1)
        environment = {**os.environ, "PYTHONHASHSEED": str(int(line(connection)))}
        command = [sys.executable, "-sSPBu", "-X", "utf8", "-c", GUEST.format(guest)]
        os.execve(sys.executable, command, environment)
    connection.close()
    os.waitpid(child, 0)


def line(connection: socket.socket) -> bytes:
    """The first line: the seed of the guest's hashes, a number. Read byte by byte, for the guest reads what follows."""
    text = b""
    while not text.endswith(b"\n") and len(text) < 12:
        if not (byte := connection.recv(1)):
            break
        text += byte
    return text


def clean() -> None:
    """Ends whatever the guest left running and removes whatever it left in /tmp, where all of that is ours alone."""
    if os.getpid() != 1:
        return
    with contextlib.suppress(ProcessLookupError):
        os.kill(-1, signal.SIGKILL)
    with contextlib.suppress(ChildProcessError):
        while True:
            os.waitpid(-1, 0)
    for path in Path("/tmp").iterdir():
        shutil.rmtree(path, ignore_errors=True) if path.is_dir() else path.unlink()


def main() -> None:
    """Serves until SIGTERM, which as the first process of a container has to be asked for."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    door = listen(Path(sys.argv[1]))
    forbid_sockets()
    guest = sys.argv[2] if len(sys.argv) > 2 else "/guest"
    print(f"cell: listening at {sys.argv[1]}", file=sys.stderr, flush=True)
    while True:
        connection, _ = door.accept()
        serve(connection, guest)
        clean()


if __name__ == "__main__":
    main()
