"""Nothing survives us: a shell holds our pipe; when that closes, even by SIGKILL, it ends the cells and their files."""

import asyncio
from pathlib import Path

_SCRIPT = """
trap '' INT TERM HUP
read -r _
for pid in $(cat "$1"/*.pid 2>/dev/null); do kill -9 -- "$pid" 2>/dev/null; done
if [ -n "$2" ] && [ -d "$1/state" ]; then
  for cell in $("$2" --root="$1/state" list -quiet 2>/dev/null); do "$2" --root="$1/state" delete --force "$cell"; done
fi
rm -rf -- "$1"
"""


async def post(folder: Path, runsc: str) -> asyncio.subprocess.Process:
    """Starts the warden of `folder`, which holds bundles and gVisor's state. `runsc` is empty for other kinds."""
    return await asyncio.create_subprocess_exec(
        "/bin/sh",
        "-c",
        _SCRIPT,
        "ucoder-warden",
        str(folder),
        runsc,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
        start_new_session=True,
    )


async def relieve(warden: asyncio.subprocess.Process) -> None:
    """Lets the warden do its last round and waits for it."""
    assert warden.stdin is not None
    warden.stdin.close()
    await warden.wait()
