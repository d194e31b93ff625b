"""Attacks on the programs beside and after the attacker: on processes, files, and by what outlives a program."""

import pytest

from ucoder.core.test_plans import Test

from .conftest import AttackedCell

pytestmark = pytest.mark.asyncio(loop_scope="session")

ATTACKS = {
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
    "sends_signals_through_descriptors": """
    import ctypes, signal
    call = ctypes.CDLL(None, use_errno=True).syscall
    for pid in (1, os.getppid()):
        opened = call(434, pid, 0)
        if opened >= 0 and call(424, opened, 9, 0, 0) == 0: return 'killed'
        if opened >= 0 and call(438, opened, 0, 0) >= 0: return 'stole'
    return 1
""",
    "queues_signals_and_timers_for_its_parent": """
    import ctypes, signal
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.sigqueue(1, 9, 0) == 0 or libc.sigqueue(os.getppid(), 9, 0) == 0: return 'queued'
    signal.setitimer(signal.ITIMER_REAL, 0.01)
    os.kill(os.getpid(), signal.SIGSTOP)
""",
    "takes_the_terminal_and_the_session": """
    for act in (lambda: os.tcsetpgrp(0, os.getpid()), lambda: os.setpgid(os.getppid(), os.getpid()),
                lambda: os.setpgid(1, 1), lambda: os.sched_setaffinity(1, {0})):
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


@pytest.mark.parametrize("name", ATTACKS)
async def test_an_attack_on_processes_harms_nobody(cell: AttackedCell, name: str) -> None:
    await cell.attack(f"import os\ndef f(x):\n{ATTACKS[name]}", (Test("assert f(2) == 5"),))


async def test_a_link_out_of_the_folder_deletes_nothing(cell: AttackedCell) -> None:
    """Leaves links in the folder of the program: the folder is removed, and what the links point to is not."""
    await cell.text_from(
        "    for number, path in enumerate(('/', '/guest', '/python', '/tmp', '..', '/dev/null')):\n"
        "        os.symlink(path, f'link{number}')\n"
        "    os.mkdir('locked'); open('locked/file', 'w').close(); os.chmod('locked', 0)\n"
        "    return 1"
    )
    assert await cell.text_from("    return sorted(os.listdir('/tmp')) == [os.path.basename(os.getcwd())]") == "True"


async def test_no_file_is_left_for_the_next_program(cell: AttackedCell) -> None:
    await cell.text_from("    open('left', 'w').write('x'); os.chmod('.', 0o777); return 1")
    assert (
        await cell.text_from("    return [name for name in os.listdir('/tmp') if os.path.exists(f'/tmp/{name}/left')]")
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
    "moves_to_another_group_and_traces_its_exit": """
    import signal
    for number in range(3):
        if os.fork() == 0:
            os.setpgid(0, 0)
            signal.pthread_sigmask(signal.SIG_BLOCK, range(1, 65))
            while True: os.sched_yield()
""",
    "keeps_forking": """
    if os.fork() == 0:
        os.setsid()
        while True:
            if os.fork(): os._exit(0)
""",
}


@pytest.mark.parametrize("name", ORPHANS)
async def test_an_orphan_ends_with_its_program(cell: AttackedCell, name: str) -> None:
    await cell.text_from(f"{ORPHANS[name]}\n    return 1")
    alive = await cell.text_from(
        "    alive = []\n"
        "    for pid in range(2, 5000):\n"
        "        try: os.kill(pid, 0); alive.append(pid)\n"
        "        except ProcessLookupError: pass\n"
        "        except PermissionError: alive.append(pid)\n"
        "    return [pid for pid in alive if pid != os.getpid()]"
    )
    assert alive == "[]"
