"""The first process of a cell container, beside the sandbox-runner in a pod under gVisor: `python3 cell.py SOCKET`.

It listens on a Unix socket that the runner connects to. It first sends a line that names the kernel it runs on; the
runner then sends a line with the seed of the guest's hashes; from then on the connection is the standard input and
output of a fresh guest. Connections come one at a time.

A guest is the first process of namespaces of its own, which gVisor gives to a user without any right: it sees no
process, file, network or shared memory but its own, and whatever it leaves behind ends with it. Once this process
listens, it gives up the `socket` system call for itself and every process that it starts. Uses the standard library
alone, because the image holds nothing else.
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
OTHER_PROCESSES = 3
"""Processes of a guest's user that are no program's: this one, its child that waits for the guest, and the guest."""
KEPT = ("PATH", "HOME", "LD_LIBRARY_PATH", "OMP_NUM_THREADS", "MPLBACKEND", "PACKAGES", "TZ", "SCRATCH")
"""The image's own variables, which a guest gets. A cluster adds its addresses and the pod's name, which it does not."""
SOCKET_CALL = {"x86_64": (0xC000003E, 41), "aarch64": (0xC00000B7, 198)}
"""By machine: its architecture, and the number of the system call `socket`."""
NO_NEW_PRIVILEGES, SECCOMP, FILTER = 38, 22, 2  # of prctl
MOUNTS, HOST_NAME, IPC, USERS, PROCESSES, NETWORK = (0x20000, 0x4000000, 0x8000000, 0x10000000, 0x20000000, 0x40000000)
READ_ONLY, NO_SETUID, NO_DEVICES, NO_PROGRAMS, RECURSIVE, PRIVATE = 1, 2, 4, 8, 16384, 1 << 18  # of mount
LIBC = ctypes.CDLL(None, use_errno=True)


def listen(path: Path) -> socket.socket:
    """Returns a socket that listens at `path`, in place of one that a killed process of this container left."""
    path.unlink(missing_ok=True)
    listening = socket.socket(socket.AF_UNIX)
    listening.bind(str(path))
    path.chmod(0o666)  # the runner is another user; only the runner's container and this one have the folder
    listening.listen(4)
    return listening


def forbid_sockets() -> None:
    """Installs a seccomp filter for this process and all its children: `socket` fails with EACCES, and system calls of
    another architecture kill.
    """
    architecture, number = SOCKET_CALL[platform.machine()]
    instructions = [
        (0x20, 0, 0, 4),  # load the architecture
        (0x15, 1, 0, architecture),
        (0x06, 0, 0, 0x80000000),  # kill
        (0x20, 0, 0, 0),  # load the system call's number
        (0x15, 0, 1, number),
        (0x06, 0, 0, 0x00050000 | 13),  # EACCES
        (0x06, 0, 0, 0x7FFF0000),  # allow
    ]
    code = b"".join(struct.pack("=HBBI", *instruction) for instruction in instructions)
    buffer = ctypes.create_string_buffer(code, len(code))
    header = struct.pack("HxxxxxxP", len(instructions), ctypes.addressof(buffer))
    call("prctl", NO_NEW_PRIVILEGES, 1, 0, 0, 0)
    call("prctl", SECCOMP, FILTER, header, 0, 0)


def call(function: str, *arguments: object) -> None:
    """Calls a function of the C library; ends this process where it fails, so that nothing runs less protected."""
    if getattr(LIBC, function)(*arguments):
        raise SystemExit(f"cell: {function}{arguments[:2]}: {os.strerror(ctypes.get_errno())}")


def kernel() -> bytes:
    """Reads whether gVisor answers our system calls: its log begins by saying so. No program has run here yet."""
    log = ctypes.create_string_buffer(1 << 16)
    size = LIBC.klogctl(3, log, len(log))
    return b"gVisor\n" if b"gVisor" in log.raw[: max(0, size)] else b"another\n"


def serve(connection: socket.socket, guest: str, hidden: list[str]) -> None:
    """Runs one guest from its first frame to its end."""
    waiter = os.fork()
    if waiter == 0:
        enter_namespaces()
        first = os.fork()
        if first:
            connection.close()
            os.waitpid(first, 0)
            os._exit(0)
        scratch = os.environ.get("SCRATCH", "/tmp")
        hide(*hidden, scratch=scratch)
        os.dup2(connection.fileno(), 0)
        os.dup2(connection.fileno(), 1)
        environment = {name: os.environ[name] for name in KEPT if name in os.environ}
        seed = int(first_line(connection))
        environment |= {"PYTHONHASHSEED": str(seed), "OTHER_PROCESSES": str(OTHER_PROCESSES)}
        command = [sys.executable, "-sSPBu", "-X", "utf8", "-c", GUEST.format(guest)]
        os.execve(sys.executable, command, environment)  # a user other than root loses every capability here
    connection.close()
    os.waitpid(waiter, 0)


def enter_namespaces() -> None:
    """Puts this process' children into namespaces of their own: users, processes, mounts, network, shared memory."""
    if user := os.getuid():
        group = os.getgid()
        call("unshare", USERS)
        for name, text in (("setgroups", "deny"), ("uid_map", f"{user} {user} 1"), ("gid_map", f"{group} {group} 1")):
            if os.path.exists(f"/proc/self/{name}"):  # gVisor has no setgroups there
                with open(f"/proc/self/{name}", "w") as file:
                    file.write(text)
    call("unshare", MOUNTS | HOST_NAME | IPC | PROCESSES | NETWORK)


def hide(*hidden: str, scratch: str) -> None:
    """Mounts empty folders over what programs must not see, and an empty file system for what they write."""
    call("mount", b"none", b"/", None, RECURSIVE | PRIVATE, None)
    for path in ("/proc", "/sys", "/run", "/var", *hidden):
        if os.path.isdir(path):
            flags = READ_ONLY | NO_SETUID | NO_DEVICES | NO_PROGRAMS
            call("mount", b"none", path.encode(), b"tmpfs", flags, b"size=4k")
    call("mount", b"none", scratch.encode(), b"tmpfs", NO_SETUID | NO_DEVICES, b"size=64m,mode=755")
    if os.path.isdir("/dev/shm"):
        flags = NO_SETUID | NO_DEVICES | NO_PROGRAMS
        call("mount", b"none", b"/dev/shm", b"tmpfs", flags, b"size=16m,mode=1777")


def first_line(connection: socket.socket) -> bytes:
    """Reads the first line, the seed of the guest's hashes; byte by byte, because the guest reads what follows."""
    text = b""
    while not text.endswith(b"\n") and len(text) < 12:
        if not (byte := connection.recv(1)):
            break
        text += byte
    return text


def main() -> None:
    """Serves until SIGTERM, which the first process of a container has to handle itself."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    address = Path(sys.argv[1])
    listening, own_kernel = listen(address), kernel()
    forbid_sockets()
    guest = sys.argv[2] if len(sys.argv) > 2 else "/guest"
    print(f"cell: listening at {address}", file=sys.stderr, flush=True)
    while True:
        connection, _ = listening.accept()
        connection.sendall(own_kernel)
        serve(connection, guest, [str(address.parent)])


if __name__ == "__main__":
    main()
