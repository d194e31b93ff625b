"""Programs that attack their neighbours, the cell, or this machine. The honest program before and after must not
notice.
"""

import asyncio
import os
import socket
from pathlib import Path

import pytest

from ucoder.core.outcomes import Outcome
from ucoder.core.test_cases import TestCase
from ucoder.sandbox_runner.job import Limits

from .conftest import MARKER, Range

pytestmark = pytest.mark.asyncio(loop_scope="session")

BOMBS = {
    "forks": "import os\ndef f(x):\n    while True: os.fork()",
    "forks_without_end_ignoring_signals": """
import os, signal
def f(x):
    for number in range(1, 65):
        try: signal.signal(number, signal.SIG_IGN)
        except (OSError, ValueError): pass
    while True:
        try: os.fork()
        except OSError: pass
""",
    "threads": """
import threading, time
def f(x):
    while True: threading.Thread(target=time.sleep, args=(60,), daemon=True).start()
""",
    "memory": "def f(x):\n    held = []\n    while True: held.append(bytearray(1 << 20))",
    "memory_at_once": "def f(x): return bytearray(1 << 40)",
    "memory_mapped": "import mmap\ndef f(x):\n    held = [mmap.mmap(-1, 1 << 26) for _ in range(1000)]\n    return 1",
    "memory_in_children": """
import os
def f(x):
    for _ in range(6):
        if os.fork() == 0:
            held = []
            try:
                while True: held.append(bytearray(1 << 20))
            except MemoryError: pass
            while True: pass
    os.wait()
""",
    "disk": """
import os
def f(x):
    for number in range(1000):
        with open(f'file{number}', 'wb') as file:
            for _ in range(64): file.write(bytes(1 << 20))
""",
    "many_files": "def f(x):\n    for number in range(10**7): open(f'file{number}', 'w').close()",
    "deep_folders": "import os\ndef f(x):\n    while True:\n        os.mkdir('d')\n        os.chdir('d')",
    "output": "import os\ndef f(x):\n    while True: print('x' * 100000)",
    "output_to_the_descriptor": "import os\ndef f(x):\n    while True: os.write(1, bytes(1 << 16))",
    "output_to_the_report": "import os\ndef f(x):\n    while True: os.write(3, bytes(1 << 16))",
    "descriptors": "def f(x):\n    held = []\n    while True: held.append(open('/dev/null'))",
    "pipes": "import os\ndef f(x):\n    while True: os.pipe()",
    "sleeps": "import time\ndef f(x): time.sleep(1000)",
    "stops_itself": "import os, signal\ndef f(x): os.kill(os.getpid(), signal.SIGSTOP)",
    "digits": "def f(x): return 7 ** 10 ** 9",
    "regular_expression": "import re\ndef f(x): return re.match('(a+)+$', 'a' * 60 + 'b')",
    "deep_source": "f = " + "(" * 5000 + "1" + ")" * 5000,
    "large_result": "def f(x): return 'x' * (1 << 26)",
    "shared_result": "def f(x):\n    a = []\n    for _ in range(60): a = [a, a]\n    return a",
}


@pytest.mark.parametrize("name", BOMBS)
async def test_bomb_harms_nobody(cell: Range, name: str) -> None:
    limits = Limits(cpu_seconds=0.3, wall_seconds=1.0, memory_mb=128, processes=8)
    await cell.attack(BOMBS[name], (TestCase("assert f(2) == 5"),), limits)


NEIGHBOURS = {
    "kills_everything": "    import signal\n    os.kill(-1, signal.SIGKILL)\n    return 1",
    "kills_the_first_process": "    os.kill(1, 9)\n    return 1",
    "kills_its_parent_and_group": """
    os.kill(os.getppid(), 9)
    os.killpg(os.getpgid(os.getppid()), 9)
    return 1
""",
    "signals_every_process": """
    import signal
    for pid in range(1, 400):
        for number in (signal.SIGSTOP, signal.SIGKILL):
            try:
                if pid != os.getpid(): os.kill(pid, number)
            except OSError: pass
    return 1
""",
    "renices_and_limits_its_parent": """
    import resource
    for act in (lambda: os.setpriority(os.PRIO_PROCESS, 1, 19),
                lambda: resource.prlimit(1, resource.RLIMIT_NOFILE, (0, 0))):
        try: act(); return 'did'
        except OSError: pass
    return 1
""",
    "fills_the_shared_memory": """
    for path in ('/dev/shm/x', '/tmp/x', '/x', '/run/x', '/guest/x', '/python/x', '/var/tmp/x'):
        try: open(path, 'w').write('x'); return path
        except OSError: pass
    return 1
""",
}


@pytest.mark.parametrize("name", NEIGHBOURS)
async def test_neighbour_is_safe(cell: Range, name: str) -> None:
    await cell.attack(f"import os\ndef f(x):\n{NEIGHBOURS[name]}", (TestCase("assert f(2) == 5"),))


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
async def test_system_call_is_refused(cell: Range, name: str) -> None:
    number, arguments = CALLS[name]
    said = await cell.says(
        f"    import ctypes\n    answer = ctypes.CDLL(None, use_errno=True).syscall({number}, {arguments})\n"
        f"    if answer == 0 and {number} == 56: os._exit(0)\n    return [answer, os.getuid()]"
    )
    answer, user = said.strip("[]").split(", ")
    assert answer == "-1", f"{name} answered {answer}"
    assert int(user) >= 20_000


async def test_environment_is_empty_of_ours(cell: Range) -> None:
    assert MARKER not in await cell.says("    return str(dict(os.environ)) + str(sys.argv) + str(sys.path)")


async def test_no_process_shows_our_environment(cell: Range) -> None:
    """The environment, command line and memory of any process that can be seen, here and in the cell."""
    said = await cell.says(
        "    found = []\n"
        "    for pid in list(range(1, 3000)) + ['self', 'thread-self']:\n"
        "        for name in ('environ', 'cmdline', 'mem', 'maps', 'root/root/.bashrc', 'cwd/pyproject.toml'):\n"
        "            try: found.append(open(f'/proc/{pid}/{name}', 'rb').read(5000))\n"
        "            except OSError: pass\n"
        "    return str(found)"
    )
    assert MARKER not in said
    assert "ucoder-cells" not in said


async def test_files_of_this_machine_are_not_there(cell: Range) -> None:
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
    said = await cell.says(f"    return [path for path in {wanted} if os.path.exists(path)]")
    assert said == "[]"


async def test_root_is_read_only(cell: Range) -> None:
    said = await cell.says(
        "    done = []\n"
        "    for path in ('/a', '/python/a', '/guest/a', '/guest/ucoder/__init__.py', '/etc/a', '/dev/a', '/tmp/a'):\n"
        "        try: open(path, 'a').write('x'); done.append(path)\n"
        "        except OSError: pass\n"
        "    return done"
    )
    assert said == "[]"


async def test_link_out_of_the_folder_deletes_nothing(cell: Range) -> None:
    """The folder is removed after the program: what its links point to is not."""
    await cell.says(
        "    for number, path in enumerate(('/', '/guest', '/python', '/tmp', '..', '/dev/null')):\n"
        "        os.symlink(path, f'link{number}')\n"
        "    os.mkdir('locked'); open('locked/file', 'w').close(); os.chmod('locked', 0)\n"
        "    return 1"
    )
    assert await cell.says("    return sorted(os.listdir('/tmp')) == [os.path.basename(os.getcwd())]") == "True"


async def test_nothing_lies_around_for_the_next(cell: Range) -> None:
    await cell.says("    open('left', 'w').write('x'); os.chmod('.', 0o777); return 1")
    assert (
        await cell.says("    return [name for name in os.listdir('/tmp') if os.path.exists(f'/tmp/{name}/left')]")
        == "[]"
    )


ORPHANS = {
    "double_fork": """
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            while True: pass
        os._exit(0)
""",
    "ignores_signals": """
    import signal
    if os.fork() == 0:
        os.setsid()
        for number in (1, 2, 3, 13, 15): signal.signal(number, signal.SIG_IGN)
        while True: pass
""",
    "stopped": """
    import signal
    if os.fork() == 0:
        os.setsid()
        os.kill(os.getpid(), signal.SIGSTOP)
""",
    "keeps_forking": """
    if os.fork() == 0:
        os.setsid()
        while True:
            if os.fork(): os._exit(0)
""",
}


@pytest.mark.parametrize("name", ORPHANS)
async def test_orphan_dies_with_its_program(cell: Range, name: str) -> None:
    await cell.says(f"{ORPHANS[name]}\n    return 1")
    alive = await cell.says(
        "    alive = []\n"
        "    for pid in range(2, 5000):\n"
        "        try: os.kill(pid, 0); alive.append(pid)\n"
        "        except ProcessLookupError: pass\n"
        "        except PermissionError: alive.append(pid)\n"
        "    return [pid for pid in alive if pid != os.getpid()]"
    )
    assert alive == "[]"


async def test_network_reaches_nothing(cell: Range) -> None:
    """Neither a server on our loopback, nor any address, nor a name, nor a socket of this machine's file system."""
    reached = asyncio.Event()
    server = await asyncio.start_server(lambda reader, writer: reached.set(), "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with server:
        said = await cell.says(
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


async def test_abstract_socket_of_this_machine_is_out_of_reach(cell: Range) -> None:
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind("\0ucoder-canary")
        listening.listen()
        said = await cell.says(
            "    import socket\n    try: socket.socket(socket.AF_UNIX).connect('\\0ucoder-canary'); return 'reached'\n"
            "    except OSError: return 1"
        )
    assert said == "1"


async def test_user_has_no_rights(cell: Range) -> None:
    said = await cell.says("    return [os.getuid() >= 20000, os.getuid() == os.geteuid(), os.getgroups()]")
    assert said == "[True, True, []]"


async def test_a_megabyte_of_output_is_no_time_out(cell: Range) -> None:
    row = await cell.run(
        "import os\ndef f(x):\n    print('x' * (1 << 20)); os.write(1, bytes(1 << 20))\n    return 5",
        (TestCase("f(1)"),),
    )
    assert row.outcomes == (Outcome.RETURNED,)


async def test_each_limit_has_its_own_outcome(cell: Range) -> None:
    limits = Limits(cpu_seconds=0.3, wall_seconds=1.0, memory_mb=128, processes=4, file_size_mb=1, output_kb=16)
    cases = {
        "def f(x):\n    while True: pass": Outcome.TIMEOUT_CPU,
        "import time\ndef f(x): time.sleep(9)": Outcome.TIMEOUT_WALL,
        "def f(x): return [0] * 10 ** 9": Outcome.OUT_OF_MEMORY,
        "def f(x): return 'x' * 10 ** 6": Outcome.OUTPUT_LIMIT,
        "import os\ndef f(x):\n    while True: os.fork()": Outcome.PROCESS_LIMIT,
        "import os\ndef f(x): os.abort()": Outcome.CRASHED,
        "def f(x): return 1 / 0": Outcome.EXCEPTION,
    }
    for program, outcome in cases.items():
        row = await cell.run(program, (TestCase("assert f(1) == 1"),), limits)
        assert row.outcomes == (outcome,), program
