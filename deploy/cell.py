"""The first process of a cell container, beside the sandbox-runner in a pod under gVisor: `python3 cell.py SOCKET`.

It listens on a Unix socket that the runner connects to. A connection begins with a line from here, the kernel that we
run on, and a line from there, the seed of the guest's hashes; from then on it is the standard input and output of a
fresh guest. One at a time. A guest is the first process
of namespaces of its own, which gVisor gives to a user without any right: no process, file, network or shared memory
but the guest's own is in there, and whatever it leaves behind ends with it. Once this process listens it also gives up
the `socket` system call, for itself and all it will ever start. Standard library only; the image holds nothing else.
"""

import ctypes
import os
import platform
import signal
import socket
import struct
import sys
from pathlib import Path

GUEST = "import sys; sys.path.insert(0, {!r}); from ucoder.sandbox_runner.guest.cell_main import main; main()"
COMPANY = 3
"""Processes of a guest's user that are no program's: this one, who waits for the guest, and the guest."""
KEPT = ("PATH", "HOME", "LD_LIBRARY_PATH", "OMP_NUM_THREADS", "MPLBACKEND", "PACKAGES", "TZ", "SCRATCH")
"""The image's own variables; a cluster adds its addresses and the pod's name, which concern no program."""
SOCKET_CALL = {"x86_64": (0xC000003E, 41), "aarch64": (0xC00000B7, 198)}
NO_NEW_PRIVILEGES, SECCOMP, FILTER = 38, 22, 2  # of prctl
MOUNTS, HOST_NAME, IPC, USERS, PROCESSES, NETWORK = (0x20000, 0x4000000, 0x8000000, 0x10000000, 0x20000000, 0x40000000)
READ_ONLY, NO_SETUID, NO_DEVICES, NO_PROGRAMS, RECURSIVE, PRIVATE = 1, 2, 4, 8, 16384, 1 << 18  # of mount
LIBC = ctypes.CDLL(None, use_errno=True)


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
    do("prctl", NO_NEW_PRIVILEGES, 1, 0, 0, 0)
    do("prctl", SECCOMP, FILTER, header, 0, 0)


def do(call: str, *arguments: object) -> None:
    """A call of the C library; ends this process with its name where it fails, so nothing runs with less around it."""
    if getattr(LIBC, call)(*arguments):
        raise SystemExit(f"cell: {call}{arguments[:2]}: {os.strerror(ctypes.get_errno())}")


def kernel() -> bytes:
    """`gVisor` where that is what answers our system calls: its log begins by saying so. No program was here yet."""
    log = ctypes.create_string_buffer(1 << 16)
    size = LIBC.klogctl(3, log, len(log))
    return b"gVisor\n" if b"gVisor" in log.raw[: max(0, size)] else b"another\n"


def serve(connection: socket.socket, guest: str, hidden: list[str]) -> None:
    """One guest from its first frame to its end."""
    waiter = os.fork()
    if waiter == 0:
        enter_namespaces()
        first = os.fork()
        if first:
            connection.close()
            os.waitpid(first, 0)
            os._exit(0)
        scratch = os.environ.get("SCRATCH", "/tmp")
        empty(*hidden, scratch=scratch)
        os.dup2(connection.fileno(), 0)
        os.dup2(connection.fileno(), 1)
        environment = {name: os.environ[name] for name in KEPT if name in os.environ}
        environment |= {"PYTHONHASHSEED": str(int(line(connection))), "COMPANY": str(COMPANY)}
        command = [sys.executable, "-sSPBu", "-X", "utf8", "-c", GUEST.format(guest)]
        os.execve(sys.executable, command, environment)  # a user other than root loses every capability here
    connection.close()
    os.waitpid(waiter, 0)


def enter_namespaces() -> None:
    """This process' children are alone: only their own user, processes, mounts, network and shared memory exist."""
    if user := os.getuid():
        group = os.getgid()
        do("unshare", USERS)
        for name, text in (("setgroups", "deny"), ("uid_map", f"{user} {user} 1"), ("gid_map", f"{group} {group} 1")):
            if os.path.exists(f"/proc/self/{name}"):  # gVisor knows no setgroups there
                with open(f"/proc/self/{name}", "w") as file:
                    file.write(text)
    do("unshare", MOUNTS | HOST_NAME | IPC | PROCESSES | NETWORK)


def empty(*hidden: str, scratch: str) -> None:
    """Puts nothing in place of what programs are not to see, and fresh room for what they write."""
    do("mount", b"none", b"/", None, RECURSIVE | PRIVATE, None)
    for path in ("/proc", "/sys", "/dev/shm", "/run", "/var", *hidden):
        if os.path.isdir(path):
            do("mount", b"none", path.encode(), b"tmpfs", READ_ONLY | NO_SETUID | NO_DEVICES | NO_PROGRAMS, b"size=4k")
    do("mount", b"none", scratch.encode(), b"tmpfs", NO_SETUID | NO_DEVICES, b"size=64m,mode=755")


def line(connection: socket.socket) -> bytes:
    """The first line: the seed of the guest's hashes, a number. Read byte by byte, for the guest reads what follows."""
    text = b""
    while not text.endswith(b"\n") and len(text) < 12:
        if not (byte := connection.recv(1)):
            break
        text += byte
    return text


def main() -> None:
    """Serves until SIGTERM, which as the first process of a container has to be asked for."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    address = Path(sys.argv[1])
    door, ours = listen(address), kernel()
    forbid_sockets()
    guest = sys.argv[2] if len(sys.argv) > 2 else "/guest"
    print(f"cell: listening at {address}", file=sys.stderr, flush=True)
    while True:
        connection, _ = door.accept()
        connection.sendall(ours)
        serve(connection, guest, [str(address.parent)])


if __name__ == "__main__":
    main()
