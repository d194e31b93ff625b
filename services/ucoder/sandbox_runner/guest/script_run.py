"""The run of a program as a script, and the standard output of programs whose prints do not count."""

import io
import os
import sys
from types import CodeType

from ucoder.sandbox_runner.guest.cell_protocol import OUTPUT_LIMIT, STDOUT
from ucoder.sandbox_runner.guest.cpu_timer import CpuTimer


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


def run_script(code: CodeType, stdin: str, output_limit: int, timer: CpuTimer) -> tuple[str, str]:
    """Runs a program as a script that reads `stdin`; returns status and output. It prints to a file, which is read back
    up to the limit, in bytes.
    """
    descriptor = _new_file("stdin")
    os.write(descriptor, stdin.encode("utf-8", "surrogateescape"))
    os.lseek(descriptor, 0, os.SEEK_SET)
    os.dup2(descriptor, 0)
    os.close(descriptor)
    descriptor = _new_file("stdout")
    os.dup2(descriptor, 1)
    stdin_before = sys.stdin
    sys.stdin = io.TextIOWrapper(io.BufferedReader(io.FileIO(0, closefd=False)))
    sys.stdout = io.TextIOWrapper(io.BufferedWriter(io.FileIO(1, "w", closefd=False)))
    sys.stderr = OutputSink(0)
    status = STDOUT
    try:
        exec(code, {"__name__": "__main__", "__builtins__": __builtins__})
    except SystemExit as error:
        if error.code not in (None, 0):
            raise
    finally:
        timer.armed = False
        try:
            sys.stdout.flush()
        except OSError:
            status = OUTPUT_LIMIT
        sys.stdin = stdin_before
    data = os.pread(descriptor, output_limit + 1, 0)
    os.close(descriptor)
    if len(data) > output_limit:
        status = OUTPUT_LIMIT
    return status, data[:output_limit].decode("utf-8", "replace")


def _new_file(name: str) -> int:
    return os.open(name, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o600)
