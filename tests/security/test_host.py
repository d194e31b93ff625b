"""Attacks on this machine: system calls, its files and environment, its network, more rights."""

import asyncio
import os
import socket
from pathlib import Path

import pytest

from .conftest import MARKER, AttackedCell

pytestmark = pytest.mark.asyncio(loop_scope="session")

CALLS = {
    # name: (x86_64 number, arguments); each must fail.
    "ptrace_attach_the_first_process": (101, "16, 1, 0, 0"),
    "read_the_memory_of_the_first_process": (310, "1, 0, 0, 0, 0, 0"),
    "mount": (165, "b'none', b'/tmp', b'tmpfs', 0, 0"),
    "new_user_namespace": (272, "0x10000000"),
    "new_mount_namespace": (272, "0x00020000"),
    "clone_into_a_user_namespace": (56, "0x10000000 | 17, 0, 0, 0, 0"),
    "become_root": (105, "0"),
    "become_the_root_group": (106, "0"),
    "change_the_root": (161, "b'/tmp'"),
    "set_the_host_name": (170, "b'x', 1"),
    "load_a_module": (175, "0, 0, b''"),
    "reboot": (169, "0xfee1dead, 672274793, 0x1234567"),
    "keys": (248, "b'user', b'x', b'x', 1, -2"),
    "bpf": (321, "0, 0, 0"),
    "performance_counters": (298, "0, 0, -1, -1, 0"),
    "user_faults": (323, "0"),
    "io_uring": (425, "8, 0"),
    "shared_memory_for_the_next_program": (29, "1234, 4096, 0o1666"),
    "message_queue_for_the_next_program": (68, "1234, 0o1666"),
    "raise_the_limits": (160, "9, (ctypes.c_long * 2)(-1, -1)"),
    "make_a_device": (133, "b'sda', 0o60666, 0x800"),
    "set_the_clock": (227, "0, (ctypes.c_long * 2)(0, 0)"),
}


@pytest.mark.skipif(os.uname().machine != "x86_64", reason="the numbers are those of x86_64")
@pytest.mark.parametrize("name", CALLS)
async def test_system_call_is_refused(cell: AttackedCell, name: str) -> None:
    number, arguments = CALLS[name]
    said = await cell.text_from(
        f"    import ctypes\n    answer = ctypes.CDLL(None, use_errno=True).syscall({number}, {arguments})\n"
        f"    if answer == 0 and {number} == 56: os._exit(0)\n    return [answer, os.getuid()]"
    )
    answer, user = said.strip("[]").split(", ")
    assert answer == "-1", f"{name} answered {answer}"
    assert int(user) >= 20_000


async def test_the_environment_of_the_host_is_not_there(cell: AttackedCell) -> None:
    assert MARKER not in await cell.text_from("    return str(dict(os.environ)) + str(sys.argv) + str(sys.path)")


async def test_no_process_shows_our_environment(cell: AttackedCell) -> None:
    """Reads the environment, command line and memory of any process that the program can see."""
    said = await cell.text_from(
        "    found = []\n"
        "    for pid in list(range(1, 3000)) + ['self', 'thread-self']:\n"
        "        for name in ('environ', 'cmdline', 'mem', 'maps', 'root/root/.bashrc', 'cwd/pyproject.toml'):\n"
        "            try: found.append(open(f'/proc/{pid}/{name}', 'rb').read(5000))\n"
        "            except OSError: pass\n"
        "    return str(found)"
    )
    assert MARKER not in said
    assert "ucoder-cells" not in said


async def test_files_of_this_machine_are_not_there(cell: AttackedCell) -> None:
    here = Path(__file__).resolve()
    wanted = [
        str(here),
        str(Path.home()),
        "/root",
        "/home",
        "/etc/shadow",
        "/etc/ssh",
        "/var",
        "/run",
        "/usr/bin",
        "/mnt",
    ]
    said = await cell.text_from(f"    return [path for path in {wanted} if os.path.exists(path)]")
    assert said == "[]"


async def test_root_is_read_only(cell: AttackedCell) -> None:
    said = await cell.text_from(
        "    done = []\n"
        "    for path in ('/a', '/python/a', '/guest/a', '/guest/ucoder/__init__.py', '/etc/a', '/dev/a', '/tmp/a'):\n"
        "        try: open(path, 'a').write('x'); done.append(path)\n"
        "        except OSError: pass\n"
        "    return done"
    )
    assert said == "[]"


async def test_network_reaches_nothing(cell: AttackedCell) -> None:
    """Tries a server on the host's loopback, other addresses, a name, and raw sockets."""
    reached = asyncio.Event()
    server = await asyncio.start_server(lambda reader, writer: reached.set(), "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with server:
        said = await cell.text_from(
            "    import socket\n    got = []\n"
            f"    for address in (('127.0.0.1', {port}), ('10.0.0.1', 80), ('169.254.169.254', 80), ('8.8.8.8', 53)):\n"
            "        try:\n            socket.create_connection(address, 0.2).close(); got.append(address)\n"
            "        except OSError: pass\n"
            "    for kind in (socket.SOCK_DGRAM, socket.SOCK_RAW):\n"
            "        try:\n            socket.socket(socket.AF_INET, kind).sendto(b'x', ('8.8.8.8', 53))\n"
            "            got.append(kind)\n"
            "        except OSError: pass\n"
            "    try: got.append(socket.getaddrinfo('example.org', 80))\n"
            "    except OSError: pass\n"
            "    return got"
        )
    assert said == "[]"
    assert not reached.is_set()


async def test_abstract_socket_of_this_machine_is_out_of_reach(cell: AttackedCell) -> None:
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind("\0ucoder-canary")
        listening.listen()
        said = await cell.text_from(
            "    import socket\n    try: socket.socket(socket.AF_UNIX).connect('\\0ucoder-canary'); return 'reached'\n"
            "    except OSError: return 1"
        )
    assert said == "1"


async def test_user_has_no_rights(cell: AttackedCell) -> None:
    said = await cell.text_from("    return [os.getuid() >= 20000, os.getuid() == os.geteuid(), os.getgroups()]")
    assert said == "[True, True, []]"
