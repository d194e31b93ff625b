"""The wheel, installed alone in a fresh environment: its files, its size, its types, and a call to a live service."""

import os
import re
import shutil
import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
MOST_MEGABYTES = 60

PROGRAM = """
import sys

from ucoder.client import Answer, Client, Options

options: Options = {"min_confidence": 0.1, "theorem_bound": True}
with Client(sys.argv[1], attempts=2, seconds=60) as client:
    answer: Answer = client.select(
        ["def f(x): return 1 + x", "def f(x): return x + 1", "def f(x): return 9"],
        tests=["assert f(1) == 2", "f(5)"],
        **options,
    )
program: str | None = answer.program
members: list[tuple[int, ...]] = [cluster.members for cluster in answer.verdict.clusters]
print(program, members, answer.verdict.theorem_bound is not None)
"""
WRONG_PROGRAM = """
from ucoder.client import Client

answer = Client("localhost:7070").select(["def f(x): return x"], inptus=3)
confidence: str = answer.verdict.confidence
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel of this checkout, built from a copy, because the build generates code in its source folder."""
    folder = tmp_path_factory.mktemp("build")
    source = folder / "source"
    ignored = shutil.ignore_patterns("__pycache__", "v1")
    for name in ("protos", "services"):
        shutil.copytree(ROOT / name, source / name, ignore=ignored if name == "services" else None)
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation"]
    subprocess.run([*command, "--wheel-dir", str(folder), str(source)], check=True)
    [built] = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def python(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The interpreter of a fresh environment with the wheel. Its tests are skipped where no package index answers."""
    folder = tmp_path_factory.mktemp("fresh")
    venv.create(folder, with_pip=False)
    interpreter = folder / "bin" / "python"
    command = [
        sys.executable,
        "-m",
        "pip",
        "--python",
        str(interpreter),
        "install",
        "--quiet",
        "--no-compile",
        str(wheel),
    ]
    done = subprocess.run(
        [*command, "--retries", "1", "--timeout", "15"], capture_output=True, text=True, check=False
    )  # fmt: skip
    if done.returncode and re.search("No matching distribution|connection|timed out", done.stderr):
        pytest.skip(f"no package index can be reached: {done.stderr.strip().splitlines()[-1]}")
    assert done.returncode == 0, done.stderr
    return interpreter


def run(*command: str | Path, folder: Path) -> subprocess.CompletedProcess[str]:
    """Runs a command without this checkout on Python's path."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHONPATH", "UCODER_"))}
    return subprocess.run(
        list(map(str, command)), capture_output=True, text=True, cwd=folder, env=environment, check=False
    )  # fmt: skip


def test_the_wheel_holds_the_package_alone(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    assert {name.split("/")[0] for name in names} == {"ucoder", f"{wheel.name.split('-py3')[0]}.dist-info"}
    assert {"ucoder/py.typed", "ucoder/v1/consensus_pb2.pyi", "ucoder/v1/consensus_pb2_grpc.py"} <= set(names)
    assert not [name for name in names if "development" in name or "tests" in name.split("/")]


def test_the_environment_holds_grpcio_and_protobuf_and_is_small(python: Path) -> None:
    packages = python.parents[1] / "lib" / f"python3.{sys.version_info.minor}" / "site-packages"
    installed = {path.name.split("-")[0].lower() for path in packages.glob("*.dist-info")}
    assert installed == {"ucoder", "grpcio", "protobuf", "typing_extensions"}
    blocks = sum(path.lstat().st_blocks for path in packages.rglob("*"))
    assert blocks * 512 <= MOST_MEGABYTES << 20


def test_a_typed_program_calls_a_live_service(python: Path, served: str, tmp_path: Path) -> None:
    (tmp_path / "program.py").write_text(PROGRAM)
    done = run(python, "program.py", served, folder=tmp_path)
    assert (done.stdout, done.stderr) == ("def f(x): return 1 + x [(0, 1), (2,)] True\n", "")


def test_programs_are_checked_against_the_types_of_the_package(python: Path, tmp_path: Path) -> None:
    (tmp_path / "program.py").write_text(PROGRAM)
    (tmp_path / "wrong.py").write_text(WRONG_PROGRAM)
    flags = ("--strict", "--config-file=", f"--cache-dir={tmp_path / 'cache'}", f"--python-executable={python}")
    done = run(sys.executable, "-m", "mypy", *flags, "program.py", folder=tmp_path)
    assert done.returncode == 0, done.stdout
    done = run(sys.executable, "-m", "mypy", *flags, "wrong.py", folder=tmp_path)
    assert re.findall(r"wrong.py:(\d+): error: .*\[([a-z-]+)\]", done.stdout) == [
        ("4", "call-arg"),
        ("5", "assignment"),
    ]


def test_the_rewards_need_no_more_packages(python: Path, tmp_path: Path) -> None:
    assert run(python, "-c", "import ucoder.client.rewards", folder=tmp_path).stderr == ""


def test_the_command_line_names_the_extra_that_it_needs(python: Path, tmp_path: Path) -> None:
    done = run(python.with_name("ucoder"), "doctor", folder=tmp_path)
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert done.stderr.endswith("pip install 'ucoder[service]'\n")
