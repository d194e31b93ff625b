"""A model server that we start: `vllm serve`, or any command that takes a model's folder and a port.

New weights are a new process on the same port: it costs the time of a start, and nothing of the old weights, neither
memory nor a stale prefix cache, can remain. The server dies with us, and its words are kept in one log file.
"""

import asyncio
import contextlib
import os
import shlex
import shutil
import signal
import socket
from pathlib import Path

import httpx
import structlog

from ucoder.errors import Misconfigured, NotFound, Retry
from ucoder.runtime.child_process import ending_with_parent

log = structlog.get_logger()
LOOK_SECONDS = 0.2
STOP_SECONDS = 20.0
"""What a server is given to end by itself before it is killed."""


class ServerProcess:
    """One server on one loopback port."""

    reads_folders = True
    exclusive = True

    def __init__(self, command: str, logs: Path, seconds: float) -> None:
        """`command` holds {model} (folder or name) and {port}; `seconds` bounds a start. Raises Misconfigured."""
        try:
            words = [word.format(model="MODEL", port="PORT") for word in shlex.split(command)]
        except (ValueError, KeyError, IndexError) as error:
            raise Misconfigured(f"UCODER_MODEL_COMMAND={command!r}: {error!r}.") from None
        if not any("MODEL" in word for word in words) or not any("PORT" in word for word in words):
            raise Misconfigured(f"UCODER_MODEL_COMMAND={command!r}: needs {{model}} and {{port}}.")
        if shutil.which(words[0]) is None:
            raise Misconfigured(
                f"UCODER_MODEL_COMMAND: there is no {words[0]} here; pip install vllm, or give its path."
            )
        self._command, self._log, self._seconds = command, logs / "model-server.log", seconds
        self._port = _free_port()
        self.url = f"http://127.0.0.1:{self._port}/v1"
        self._process: asyncio.subprocess.Process | None = None
        self._model = ""

    @property
    def up(self) -> bool:
        """See `Host`: whether the process lives."""
        return self._process is not None and self._process.returncode is None

    async def switch(self, model: str) -> None:
        """See `Host`. A folder without a model is refused before the old server is ended."""
        if self.up and self._model == model:
            return
        if os.sep in model and not (Path(model) / "config.json").is_file():
            raise NotFound(f"model {model}: no Hugging Face model folder, it has no config.json.")
        await self._stop()
        log.info("model.starting", model=model, url=self.url, log=str(self._log))
        try:
            await self._start(model)
            self._model = model
            await self._listed()
        except BaseException:
            await self._stop()
            raise
        log.info("model.started", model=model)

    async def close(self) -> None:
        """See `Host`."""
        await self._stop()

    async def _start(self, model: str) -> None:
        words = [word.format(model=model, port=self._port) for word in shlex.split(self._command)]
        try:
            self._log.parent.mkdir(parents=True, exist_ok=True)
            with self._log.open("ab") as out:
                out.write(f"\n$ {shlex.join(words)}\n".encode())
                out.flush()
                self._process = await asyncio.create_subprocess_exec(
                    *ending_with_parent(*words), stdin=asyncio.subprocess.DEVNULL, stdout=out, stderr=out,
                    env=_environment(), process_group=0,  # Ctrl-C is ours, and its own children end with it
                )  # fmt: skip
        except OSError as error:
            raise Retry(f"cannot start {words[0]}: {error.strerror}.") from None

    async def _listed(self) -> None:
        """Waits until it answers. Misconfigured with its own last words when it ends instead."""
        assert self._process is not None
        async with httpx.AsyncClient(timeout=5) as client:
            try:
                async with asyncio.timeout(self._seconds):
                    while not await _lists(client, self.url, self._model):
                        if not self.up:
                            raise Misconfigured(
                                f"the model server ended with code {self._process.returncode} before it answered: "
                                f"{self._last_words()} (log: {self._log})"
                            )
                        await asyncio.sleep(LOOK_SECONDS)
            except TimeoutError:
                raise Retry(
                    f"the model server did not serve {self._model} within {self._seconds:g} s "
                    f"(UCODER_MODEL_SECONDS; log: {self._log})."
                ) from None

    async def _stop(self) -> None:
        process, self._process, self._model = self._process, None, ""
        if process is None:
            return
        for sign in (signal.SIGTERM, signal.SIGKILL):
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, sign)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(process.wait(), STOP_SECONDS)
                break
        with contextlib.suppress(ProcessLookupError):  # what the leader left behind
            os.killpg(process.pid, signal.SIGKILL)

    def _last_words(self) -> str:
        """The last line of its log that names an error, else the last one."""
        with self._log.open("rb") as file:
            file.seek(max(0, self._log.stat().st_size - (1 << 16)))
            lines = [line.strip() for line in file.read().decode(errors="replace").splitlines() if line.strip()]
        named = [line for line in lines if "Error" in line and not line.endswith("Error:")]
        return (named or lines or ["nothing"])[-1][-300:]


def _environment() -> dict[str, str]:
    """Ours without our own settings: the server reads its own, and needs no key of ours."""
    return {name: value for name, value in os.environ.items() if not name.startswith("UCODER_")}


def _free_port() -> int:
    with socket.socket() as door:
        door.bind(("127.0.0.1", 0))
        return int(door.getsockname()[1])


async def _lists(client: httpx.AsyncClient, url: str, model: str) -> bool:
    try:
        answer = await client.get(f"{url}/models")
        return answer.status_code == 200 and any(one["id"] == model for one in answer.json()["data"])
    except (httpx.TransportError, ValueError, KeyError, TypeError):
        return False
