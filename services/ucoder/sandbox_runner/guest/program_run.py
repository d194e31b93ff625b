"""The run of one program for its output: the untrusted side. This process becomes the program, as `python3 FILE` would.

Nothing is reported: the cell's first process reads the output from the pipes, and the exit code from the kernel.
"""

import base64
import os
import random
import signal
import sys
import time
from contextlib import suppress
from typing import NoReturn

from ucoder.sandbox_runner.guest import script_run
from ucoder.sandbox_runner.guest.cell_protocol import REPORT_DESCRIPTOR, RunContent
from ucoder.sandbox_runner.guest.fixed_time import FixedTime


def main(content: RunContent, outputs: tuple[int, int], fixed: FixedTime) -> NoReturn:
    """Puts the files in place, connects stdout and stderr and runs the program. Never returns."""
    signal.signal(signal.SIGPROF, signal.SIG_DFL)
    for path, data in content["files"].items():
        write_file(path, base64.b64decode(data))
    if content["name"] and not os.path.exists(content["name"]):
        write_file(content["name"], content["program"].encode("utf-8", "surrogatepass"))
    for pipe, number in zip(outputs, (1, 2), strict=True):
        os.dup2(pipe, number)
        os.close(pipe)
    if content["command"]:
        become_command(content)
    os.close(REPORT_DESCRIPTOR)
    fixed.start, fixed.origin = time.clock_gettime(time.CLOCK_REALTIME), time.monotonic()
    run_python(content)


def write_file(path: str, data: bytes) -> None:
    """Writes a file of the caller's, executable, because it may be a compiled program. Makes its folders."""
    if folder := os.path.dirname(path):
        os.makedirs(folder, exist_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o755)
    with open(descriptor, "wb") as file:
        file.write(data)


def become_command(content: RunContent) -> NoReturn:
    """Replaces this process by a compiler or by another interpreter. Reports where the cell does not have it."""
    os.set_inheritable(REPORT_DESCRIPTOR, False)
    command = [*content["command"], *content["args"]]
    if command[0].endswith("/node"):
        command[0] = os.environ.get("NODE") or command[0]
    environment = {name: os.environ[name] for name in ("PATH", "LD_LIBRARY_PATH", "TZ") if name in os.environ}
    with suppress(OSError):
        os.execvpe(command[0], command, {**environment, "HOME": os.getcwd(), "LANG": "C.UTF-8"})
    os.write(REPORT_DESCRIPTOR, b"\0\0\0\1-")
    os._exit(127)


def run_python(content: RunContent) -> NoReturn:
    """Runs the program as the module __main__ and ends the process as the interpreter does."""
    folder = os.getcwd()
    for name in [name for name in sys.modules if name.partition(".")[0] == "ucoder"]:
        del sys.modules[name]
    sys.path[:] = [path for path in sys.path if path != "/guest"]
    os.environ["HOME"] = folder
    random.seed()
    path = os.path.join(folder, content["name"])
    os._exit(script_run.run_script(path, content["program"], content["args"], lambda error: None))
