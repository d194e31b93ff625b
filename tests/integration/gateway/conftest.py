"""A gateway as users start it, in a process of its own, in front of a scripted model server."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import AbstractContextManager, asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from ucoder.gateway.http_app import gateway
from ucoder.runtime.context import ServiceContext
from ucoder.runtime.settings import Settings

from .model_server import ScriptedModel, listening


@contextmanager
def gateway_process(folder: Path, *flags: str, **settings: str) -> Iterator[tuple[str, "subprocess.Popen[bytes]"]]:
    """Runs `ucoder serve gateway` on a free port; yields its URL and its process. Ends it with SIGTERM."""
    command = [sys.executable, "-m", "ucoder", "serve", "gateway", "--listen", "127.0.0.1:0", *flags]
    own = {f"UCODER_{name.upper()}": value for name, value in settings.items()}
    told = folder / "stderr"
    with told.open("wb") as stderr, (folder / "stdout").open("wb") as stdout:
        process = subprocess.Popen(command, stderr=stderr, stdout=stdout, env={**os.environ, **own})
        try:
            end = time.monotonic() + 60
            while "gateway: http" not in told.read_text():
                assert process.poll() is None, told.read_text()
                assert time.monotonic() < end
                time.sleep(0.02)
            yield told.read_text().partition("gateway: ")[2].split()[0], process
        finally:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


@asynccontextmanager
async def _ready(app: Any) -> AsyncIterator[Any]:
    yield app


def gateway_here(settings: Settings) -> AbstractContextManager[str]:
    """Serves a gateway in this process, in front of the services that the settings name; yields its URL."""

    @asynccontextmanager
    async def opened() -> AsyncIterator[Any]:
        async with ServiceContext.open_standalone(settings, ()) as context:
            yield gateway(context)

    return listening(opened)


@pytest.fixture(scope="session")
def model_server() -> Iterator[tuple[ScriptedModel, str]]:
    """A scripted model server, and its URL."""
    model = ScriptedModel()
    with listening(lambda: _ready(model.app())) as url:
        yield model, url + "/v1"


@pytest.fixture(scope="session")
def gateway_url(tmp_path_factory: pytest.TempPathFactory, model_server: tuple[ScriptedModel, str]) -> Iterator[str]:
    """The URL of a gateway with a sandbox of its own, and the scripted model server behind it."""
    folder = tmp_path_factory.mktemp("gateway")
    with gateway_process(folder, "--standalone", "--upstream", model_server[1], log_level="warning") as (url, _):
        yield url


@pytest.fixture
def http(gateway_url: str) -> Iterator[httpx.Client]:
    """A client of the gateway."""
    with httpx.Client(base_url=gateway_url, timeout=120) as client:
        yield client
