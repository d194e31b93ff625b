"""A program as Python loads it: as `python solution.py` runs it, with descriptors 0, 1 and 2, module `__main__` and an
orderly end; or as an imported module, with an entry in `sys.modules` and its text where `inspect` looks for it.

A script has a process of its own for each test. The first process of the cell reads what it printed after all of its
processes have ended. Differences from a real start of the interpreter: modules that were imported before the fork are
in `sys.modules`, and /dev/stdin, /dev/stdout and /dev/fd are opened by descriptor, because a cell has no /proc.
"""

import atexit
import builtins
import contextlib
import gc
import io
import linecache
import os
import re
import sys
import threading
from collections.abc import Callable
from types import CodeType, ModuleType
from typing import Any

SCRIPT_FILE = "solution.py"
MODULE = "solution"
UNNAMED_FILE = "<program>"
"""The file name of programs that share a fork, where no files are written."""
_DEVICES = re.compile(r"/dev/(?:fd/(\d+)|(stdin|stdout|stderr))")
_DESCRIPTORS = {"stdin": 0, "stdout": 1, "stderr": 2}
_ERROR_STATUS, _UNFLUSHED_STATUS, _INTERRUPTED_STATUS = 1, 120, 130


class OutputSink(io.TextIOBase):
    """A standard output that keeps the first `limit` characters and drops the rest."""

    def __init__(self, limit: int) -> None:
        self.limit, self.size = limit, 0
        self.parts: list[str] = []

    def writable(self) -> bool:
        return True

    def write(self, text: str) -> int:
        if not isinstance(text, str):
            raise TypeError(f"write() argument must be str, not {type(text).__name__}")
        if self.size < self.limit:
            self.parts.append(text[: self.limit - self.size])
        self.size += len(text)
        return len(text)


def open_streams() -> None:
    """Makes `sys.stdin`, `sys.stdout` and `sys.stderr` as the interpreter does when it starts with UTF-8."""

    def stream(descriptor: int, mode: str, errors: str) -> Any:
        return open(descriptor, mode, encoding="utf-8", errors=errors, newline="\n", closefd=False)

    sys.stdin = sys.__stdin__ = stream(0, "r", "surrogateescape")  # type: ignore[misc]
    sys.stdout = sys.__stdout__ = stream(1, "w", "surrogateescape")  # type: ignore[misc]
    sys.stderr = sys.__stderr__ = stream(2, "w", "backslashreplace")  # type: ignore[misc]
    sys.stderr.reconfigure(line_buffering=True)


def run_script(path: str, source: str, args: list[str], report: Callable[[BaseException], None]) -> int:
    """Runs the program whose file is at `path` and returns its exit status.

    `report` is called with the exception that ended it.
    """
    open_streams()
    if _DEVICES.search(source):
        open_devices_by_descriptor()
    sys.argv, sys.path[:0] = [path, *args], [os.path.dirname(path)]
    main = ModuleType("".join(("__main", "__")))  # not the literal's object: `__name__ is "__main__"` is false there
    main.__dict__.update(__file__=path, __builtins__=builtins, __annotations__={}, __cached__=None)
    sys.modules["__main__"] = main
    status = 0
    try:
        exec(compile(program_bytes(source), path, "exec", dont_inherit=True), main.__dict__)
    except SystemExit as error:
        status = exit_status(error)
        if status:
            report(error)
    except BaseException as error:
        status = _INTERRUPTED_STATUS if isinstance(error, KeyboardInterrupt) else _ERROR_STATUS
        report(error)
        own = error.__traceback__  # the frame of this function, which `python solution.py` does not show
        with contextlib.suppress(BaseException):
            sys.excepthook(type(error), error.with_traceback(own and own.tb_next), error.__traceback__)
    return end_script(main) or status


def set_standard_input(data: bytes) -> None:
    """Makes descriptor 0 a file that holds these bytes."""
    descriptor = os.memfd_create("stdin")
    left = memoryview(data)
    while left:
        left = left[os.write(descriptor, left) :]
    os.lseek(descriptor, 0, os.SEEK_SET)
    os.dup2(descriptor, 0)
    os.close(descriptor)


def program_bytes(source: str) -> bytes:
    """Returns the text of a program as a file holds it, because the compiler reads a byte order mark in bytes only."""
    return source.encode("utf-8", "surrogatepass")


def write_program(source: str) -> str:
    """Writes the program into its folder and returns the path."""
    with open(SCRIPT_FILE, "wb") as file:
        file.write(program_bytes(source))
    return os.path.join(os.getcwd(), SCRIPT_FILE)


def open_devices_by_descriptor() -> None:
    """Lets `open` and `os.open` read /dev/stdin and the like, whose links lead into /proc, which no cell has."""
    real_open, real_os_open = io.open, os.open

    def descriptor_of(path: Any) -> int | None:
        found = _DEVICES.fullmatch(os.fspath(path)) if isinstance(path, str | os.PathLike) else None
        return None if found is None else int(found[1]) if found[1] else _DESCRIPTORS[found[2]]

    def open_file(file: Any, *args: Any, **kwargs: Any) -> Any:
        number = descriptor_of(file)
        return real_open(file if number is None else os.dup(number), *args, **kwargs)

    def open_descriptor(path: Any, *args: Any, **kwargs: Any) -> int:
        number = descriptor_of(path)
        return real_os_open(path, *args, **kwargs) if number is None else os.dup(number)

    builtins.open = io.open = open_file
    os.open = open_descriptor


def exit_status(error: SystemExit) -> int:
    """Returns the exit status that a SystemExit means, and prints its text where it has one, as Python does."""
    if error.code is None:
        return 0
    if isinstance(error.code, int):
        return error.code & 0xFF
    with contextlib.suppress(BaseException):
        print(error.code, file=sys.stderr)
    return _ERROR_STATUS


def end_script(main: ModuleType) -> int:
    """Does what Python does at the end of a script; returns 120 where the output cannot be written, else 0."""
    with contextlib.suppress(BaseException):
        threading._shutdown()  # type: ignore[attr-defined]
    with contextlib.suppress(BaseException):
        atexit._run_exitfuncs()
    lost = flush(sys.stdout)
    sys.stdout, sys.stderr = sys.__stdout__, sys.__stderr__
    names = [name for name in main.__dict__ if name != "__builtins__"]
    for name in sorted(names, key=lambda name: not (name[:1] == "_" and name[1:2] != "_")):
        with contextlib.suppress(BaseException):
            main.__dict__[name] = None  # so that `__del__` runs, the names with one underscore first
    with contextlib.suppress(BaseException):
        gc.collect()
    return _UNFLUSHED_STATUS if flush(sys.stdout) or lost else 0


def flush(stream: Any) -> bool:
    """Writes out what a stream still holds; returns whether that failed."""
    try:
        if stream is not None and not stream.closed:
            stream.flush()
    except BaseException:
        return True
    return False


def compile_program(source: str, path: str) -> CodeType:
    """Compiles the text of a program; raises what the compiler raises."""
    return compile(program_bytes(source), path, "exec", dont_inherit=True)


def place_program(source: str) -> str:
    """Writes the file of a program that has the process for itself; returns its path."""
    path = write_program(source)
    linecache.cache[path] = (len(source), None, source.splitlines(keepends=True), path)
    return path


def new_namespace(path: str) -> dict[str, Any]:
    """Returns the namespace of a new module of the program, which `sys.modules` now holds; opens the streams."""
    open_streams()
    sys.argv = [path]
    module = ModuleType(MODULE)
    module.__dict__.update(__file__=path, __builtins__=builtins)
    sys.modules[MODULE] = module
    return module.__dict__
