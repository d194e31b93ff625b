"""The verdict of plain Python on one program and one test, for comparison with the sandbox's.

Each pair runs as `python case.py` in a process, a process group and an empty folder of its own. The file holds the
program, an empty line and the test; a script is the file alone, with its input on stdin. Nothing of this project is
imported there, and the comparison of printed texts is written here again, so that no error is shared.
"""

import ast
import asyncio
import contextlib
import itertools
import os
import re
import signal
import sys
import tempfile
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

from ucoder.core.outcomes import Outcome
from ucoder.core.test_plans import Test

MOST_OUTPUT = 64 << 20
"""Bytes of output after which a process is killed."""
VERSION = 3
"""The version of this file's rules: kept verdicts of another version are not used."""
_ERROR = re.compile(r"^(?:[A-Za-z_]\w*\.)*([A-Za-z_]\w*)(?:: .*)?$")
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")
_END_MARK = ".the_test_came_to_its_end"


@dataclass(frozen=True, slots=True)
class PlainLimits:
    """The limits of one process. They are wider than those of the sandbox, so that a slow start changes no verdict."""

    cpu_seconds: int = 4
    wall_seconds: float = 60.0
    memory_mb: int = 2048


@dataclass(frozen=True, slots=True)
class PlainVerdict:
    """The verdict of plain Python."""

    outcome: Outcome
    error: str = ""
    """Name of the exception that ended the process."""
    to_the_end: bool = True
    """False where the process ended with status 0 before the last line of the test."""


async def plain_verdict(program: str, test: Test, limits: PlainLimits, hash_seed: str = "0") -> PlainVerdict:
    """Runs one program on one test in a new process of plain Python."""
    with tempfile.TemporaryDirectory(prefix="plain-python-") as folder:
        work = Path(folder, "work")
        work.mkdir()
        mark = Path(folder, _END_MARK)
        source = program if test.stdin is not None else f"{program}\n\n{test.code}\n{_endings(test.code, mark)}"
        (work / "case.py").write_bytes(source.encode("utf-8", "surrogatepass"))
        stdin = Path(folder, "stdin")
        stdin.write_bytes((test.stdin or "").encode("utf-8", "surrogatepass"))
        status, stdout, stderr = await _run(work, stdin, limits, hash_seed)
        if isinstance(status, Outcome):
            return PlainVerdict(status)
        if status < 0:
            return PlainVerdict(Outcome.TIMEOUT_CPU if -status in (signal.SIGXCPU,) else Outcome.CRASHED)
        if status:
            return _failure(stderr.decode("utf-8", "replace"), is_unit_test(test.code))
        if test.stdin is not None:
            if test.expected_stdout is None:
                return PlainVerdict(Outcome.RETURNED)
            same = same_text(test.expected_stdout, stdout.decode("utf-8", "replace"), test.tolerance)
            return PlainVerdict(Outcome.PASSED if same else Outcome.FAILED)
        ended = mark.exists() or is_unit_test(test.code)
        return PlainVerdict(Outcome.RETURNED if _is_lone_call(test.code) else Outcome.PASSED, to_the_end=ended)


def is_unit_test(code: str) -> bool:
    """Returns whether a test holds a unittest class."""
    return any(isinstance(one, ast.ClassDef) and "TestCase" in ast.unparse(one) for one in _body(code))


def same_text(expected: str, printed: str, tolerance: float) -> bool:
    """Returns whether two texts have the same lines, as the README of the cases says: blanks at line ends and empty
    lines at the end do not count, and lines of numbers are compared by their numbers.
    """
    wanted, found = (re.sub(r"[^\S\n]+(?=\n|$)", "", text).rstrip().split("\n") for text in (expected, printed))
    return len(wanted) == len(found) and all(
        one == other or _same_numbers(one.split(), other.split(), tolerance)
        for one, other in zip(wanted, found, strict=True)
    )


def _same_numbers(wanted: list[str], found: list[str], tolerance: float) -> bool:
    if len(wanted) != len(found) or not all(map(_NUMBER.fullmatch, [*wanted, *found])):
        return False
    for one, other in zip(map(Decimal, wanted), map(Decimal, found), strict=True):
        allowed = Decimal(tolerance) * max(Decimal(1), abs(one), abs(other))
        if abs(one - other) > allowed:
            return False
    return True


def _body(code: str) -> list[ast.stmt]:
    try:
        return ast.parse(code.strip()).body
    except (SyntaxError, ValueError, RecursionError):
        return []


def _is_lone_call(code: str) -> bool:
    match _body(code):
        case [ast.Expr(ast.Call())]:
            return True
    return False


def _endings(code: str, mark: Path) -> str:
    """Returns the lines that run the cases of a test file and then leave a mark: the test came to its end."""
    body = _body(code)
    lines = []
    if is_unit_test(code):
        return "" if "unittest.main" in code else "import unittest\nunittest.main()\n"
    called = {
        node.func.id
        for one in body
        if not isinstance(one, ast.FunctionDef | ast.AsyncFunctionDef)
        for node in ast.walk(one)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
    }
    for one in body:
        if isinstance(one, ast.FunctionDef) and one.name.startswith("test") and one.name not in called:
            lines.append(f"{one.name}()")
        if isinstance(one, ast.ClassDef) and one.name.startswith("Test"):
            cases = [part for part in one.body if isinstance(part, ast.FunctionDef) and part.name.startswith("test")]
            lines += [f"{one.name}().{case.name}()" for case in cases]
    lines.append(f"__import__('posix').close(__import__('posix').open({str(mark)!r}, 65))")
    return "\n".join(lines) + "\n"


def _failure(stderr: str, unit_test: bool) -> PlainVerdict:
    """Reads from the error stream how a process ended with a status other than 0."""
    lines = stderr.rstrip().split("\n")
    if unit_test and lines[-1].startswith("FAILED ("):
        return PlainVerdict(Outcome.EXCEPTION if "errors=" in lines[-1] else Outcome.FAILED, "unittest")
    places = [number for number, line in enumerate(lines) if line.startswith('  File "')]
    if not places:
        return PlainVerdict(Outcome.EXCEPTION, "SystemExit")
    error = next((found[1] for line in lines[places[-1] + 1 :] if (found := _ERROR.match(line))), "")
    outcomes = {"AssertionError": Outcome.FAILED, "Failed": Outcome.FAILED, "MemoryError": Outcome.OUT_OF_MEMORY}
    return PlainVerdict(outcomes.get(error, Outcome.EXCEPTION), error)


async def _run(folder: Path, stdin: Path, limits: PlainLimits, hash_seed: str) -> tuple[int | Outcome, bytes, bytes]:
    """Runs `case.py`; returns the exit status, or the limit that ended the run, and both outputs."""
    shell = f'ulimit -c 0; ulimit -S -t {limits.cpu_seconds}; ulimit -v {limits.memory_mb * 1024}; exec "$0" -B case.py'
    environment = {
        "PATH": os.environ.get("PATH", os.defpath), "HOME": str(folder), "LANG": "C.UTF-8", "TMPDIR": str(folder),
        "PYTHONHASHSEED": hash_seed, "PYTHONNOUSERSITE": "1", "PYTHONSAFEPATH": "",
    }  # fmt: skip
    with stdin.open("rb") as given:
        process = await asyncio.create_subprocess_exec(
            "/bin/sh", "-c", shell, sys.executable, cwd=folder, env=environment, start_new_session=True, stdin=given,
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip
    try:
        async with asyncio.timeout(limits.wall_seconds):
            stdout, stderr = await asyncio.gather(_read(process.stdout), _read(process.stderr))
            return await process.wait(), stdout, stderr
    except TimeoutError:
        return Outcome.TIMEOUT_WALL, b"", b""
    except _TooMuchOutput:
        return Outcome.OUTPUT_LIMIT, b"", b""
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        await process.wait()


class _TooMuchOutput(Exception):
    """A process printed more than `MOST_OUTPUT`."""


async def _read(stream: asyncio.StreamReader | None) -> bytes:
    assert stream is not None
    parts: list[bytes] = []
    for size in itertools.count():
        part = await stream.read(1 << 16)
        if not part:
            break
        parts.append(part)
        if size << 16 > MOST_OUTPUT:
            raise _TooMuchOutput
    return b"".join(parts)
