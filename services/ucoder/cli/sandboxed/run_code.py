"""`ucoder run-code`: runs one untrusted program in the sandbox, as `python3 FILE` would."""

import asyncio
import os
import sys
from pathlib import Path
from typing import Annotated

from typer import Argument, Option

from ucoder.cli.shared import options
from ucoder.client import AsyncClient, ProgramOutput, RunOptions
from ucoder.errors import Misconfigured

SUFFIXES = {".py": "python", ".js": "javascript", ".sh": "bash", ".c": "c", ".cpp": "cpp", ".cc": "cpp"}
TIMED_OUT = 124
"""The exit code of a program that reached its time limit, as `timeout` gives it."""


async def run_code(
    program: Annotated[str, Argument(metavar="FILE", help="The program, or - for standard input.")],
    arguments: Annotated[list[str] | None, Argument(metavar="[ARGS]...", help="The program's arguments.")] = None,
    stdin: Annotated[
        Path | None, Option(help="File that the program reads. Default: this command's standard input, if piped.")
    ] = None,
    files: Annotated[list[Path] | None, Option("--file", help="File to put beside the program; repeat it.")] = None,
    fetch: Annotated[list[str] | None, Option(help="File of the program's to copy here; repeat it.")] = None,
    language: Annotated[str | None, Option(help="Default: by the file's suffix, else python.")] = None,
    seconds: Annotated[float, Option(min=0.01, max=3600, help="Limit of processor time.")] = 10.0,
    memory: Annotated[int, Option(min=1, help="Limit of memory in MB.")] = 1024,
    sandbox: Annotated[
        str | None, Option(help="host:port of a SandboxService. Default: one inside this command.")
    ] = None,
    token_file: Annotated[Path | None, Option(help="File that holds the caller's token for --sandbox.")] = None,
    isolation: options.IsolationFlag = None,
) -> None:
    """Runs one untrusted program in the sandbox: its output and its exit code become this command's own.

    Ends with code 124 when a time limit is reached.

    Example: `ucoder run-code script.py --file data.csv --fetch plot.png`
    """
    from ucoder.cli.shared.embedded_services import sandbox_service

    given = RunOptions(
        language=language or SUFFIXES.get(Path(program).suffix, "python"),
        args=arguments or [],
        files={path.name: _read(path) for path in files or []},
        fetch_files=fetch or [],
        stdin=await asyncio.to_thread(_standard_input, program, stdin),
        cpu_seconds=seconds,
        wall_seconds=2 * seconds,
        memory_mb=memory,
    )
    text = sys.stdin.read() if program == "-" else _read(Path(program)).decode("utf-8", "replace")
    token = options.read_token(token_file)
    async with sandbox_service(sandbox, isolation) as address, AsyncClient(address, token=token, attempts=2) as client:
        async for event in client.run_stream(text, **given):
            if not isinstance(event, ProgramOutput):
                name, data = event
                await asyncio.to_thread(_write, 1 if name == "stdout" else 2, data)
                continue
            for path, data in event.files.items():
                Path(Path(path).name).write_bytes(data)
            raise SystemExit(_exit_code(event))


def _exit_code(output: ProgramOutput) -> int:
    """Returns the exit code for a result; says on standard error what is not the program's own doing."""
    end = output.process or output.compiler
    assert end is not None
    if output.process is None:
        _write(2, end.stderr)
    if end.stdout_cut or end.stderr_cut:
        print("ucoder: the output was longer than the limit and was cut.", file=sys.stderr)
    if end.exit_code is None:
        limit = "processor time" if end.ending == "timeout_cpu" else "elapsed time"
        print(f"ucoder: the program reached its limit of {limit}.", file=sys.stderr)
        return TIMED_OUT
    return end.exit_code if end.exit_code >= 0 else 128 - end.exit_code


def _standard_input(program: str, stdin: Path | None) -> bytes:
    if stdin:
        return _read(stdin)
    return b"" if program == "-" or sys.stdin is None or sys.stdin.isatty() else sys.stdin.buffer.read()


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise Misconfigured(f"{path}: {error.strerror}.") from None


def _write(descriptor: int, data: bytes) -> None:
    while data:
        data = data[os.write(descriptor, data) :]
