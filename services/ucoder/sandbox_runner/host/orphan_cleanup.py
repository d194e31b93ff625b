"""Kills all cells and removes their files when the parent process dies, even by SIGKILL.

A shell waits on a pipe that this process holds open. When the pipe closes, the shell deletes gVisor's containers and
removes the folder. Cells of the other kinds end by themselves when this process dies. Orphans of programs inside a cell
are killed by the cell's first process (`guest/cell_main`), and cells that hang by `cell`.
"""

import asyncio
from pathlib import Path

_SCRIPT = """
trap '' INT TERM HUP
read -r _
if [ -n "$2" ] && [ -d "$1/state" ]; then
  for cell in $("$2" --root="$1/state" list -quiet 2>/dev/null); do "$2" --root="$1/state" delete --force "$cell"; done
fi
rm -rf -- "$1"
"""


async def start(folder: Path, runsc: str) -> asyncio.subprocess.Process:
    """Starts the cleanup process of `folder`, which holds bundles and gVisor's state.

    `runsc` is the path of gVisor's binary, empty for other kinds of isolation.
    """
    return await asyncio.create_subprocess_exec(
        "/bin/sh",
        "-c",
        _SCRIPT,
        "ucoder-orphan-cleanup",
        str(folder),
        runsc,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
        start_new_session=True,
    )


async def finish(process: asyncio.subprocess.Process) -> None:
    """Lets the cleanup process do its work, and waits until it has ended."""
    assert process.stdin is not None
    process.stdin.close()
    await process.wait()
