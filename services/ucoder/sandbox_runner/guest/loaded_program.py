"""A program loaded as an imported module is: an entry in `sys.modules`, with its text where `inspect` looks for it."""

import builtins
import linecache
import sys
from types import CodeType, ModuleType
from typing import Any

from ucoder.sandbox_runner.guest.script_run import open_streams, program_bytes, write_program

MODULE = "solution"
UNNAMED_FILE = "<program>"
"""The file name of programs that share a fork, where no files are written."""


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
