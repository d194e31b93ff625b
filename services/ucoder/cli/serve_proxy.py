"""`ucoder serve proxy`: the OpenAI-compatible door before any model server."""

import asyncio
import signal
from pathlib import Path

import uvicorn
from rich.console import Console

from ucoder.cli.shared.embedded_services import consensus_at
from ucoder.client import AsyncClient
from ucoder.errors import Misconfigured
from ucoder.gateway.openai_proxy import Sampling, proxy
from ucoder.gateway.upstream import Upstream
from ucoder.runtime.http_server import listening_socket
from ucoder.runtime.settings import load

LISTEN = "127.0.0.1:8080"


async def main(
    *,
    upstream: str | None,
    listen: str | None,
    consensus: str | None,
    token_file: Path | None,
    n: int,
    temperature: float,
) -> None:
    """Serves until SIGTERM or Ctrl-C; consensus comes from the address given, or runs in this process."""
    settings = load()
    url = upstream or settings.model_url
    if not url.startswith(("http://", "https://")):
        raise Misconfigured("--upstream: give the model server's URL, such as http://127.0.0.1:8000/v1.")
    if not 2 <= n <= 1024:
        raise Misconfigured(f"-n {n}: between 2 and 1024; with one sample there is nothing to agree on.")
    at = listen or LISTEN
    with listening_socket(at, f"--listen {at}") as door:
        async with consensus_at(consensus) as address, AsyncClient(address, token=token_of(token_file)) as client:
            app = proxy(Upstream(url, settings.model_api_key), client, Sampling(n, temperature))
            host, port = door.getsockname()[:2]
            Console(stderr=True).print(f"base URL: http://{host}:{port}/v1  (best of {n} from {url})", highlight=False)
            config = uvicorn.Config(app, log_level="warning", server_header=False, timeout_graceful_shutdown=30)
            asyncio.get_running_loop().remove_signal_handler(signal.SIGTERM)  # uvicorn's own lets answers be finished
            await uvicorn.Server(config).serve([door])


def token_of(path: Path | None) -> str:
    """The token in a file; Misconfigured when it cannot be read."""
    try:
        return path.read_text().strip() if path else ""
    except OSError as error:
        raise Misconfigured(f"--token-file {path}: {error.strerror}.") from None
