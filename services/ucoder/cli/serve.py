"""`ucoder serve`: one service, all of them, or the OpenAI-compatible proxy, until SIGTERM."""

import asyncio
import signal
from typing import Annotated

from rich.console import Console
from typer import Argument, Option

from ucoder.cli.shared.options import ConsensusFlag, ConsensusTokenFlag, read_token
from ucoder.errors import Misconfigured
from ucoder.flow import SERVICES
from ucoder.runtime.app import serve as serve_services
from ucoder.runtime.settings import load

PROXY_ADDRESS = "127.0.0.1:8080"


async def serve(
    name: Annotated[str, Argument(help=f"One of {', '.join(SERVICES)}; `all`; or `proxy`.")],
    listen: Annotated[str | None, Option(help=f"host:port; overrides UCODER_LISTEN (proxy: {PROXY_ADDRESS}).")] = None,
    upstream: Annotated[str | None, Option(help="proxy: the model server. Default: UCODER_MODEL_URL.")] = None,
    consensus: ConsensusFlag = None,
    token_file: ConsensusTokenFlag = None,
    n: Annotated[int, Option("-n", help="proxy: programs that compete for an answer.")] = 16,
    temperature: Annotated[float, Option(min=0, max=2, help="proxy: temperature where the client names none.")] = 0.8,
) -> None:
    """Serves one service, or all of them, until SIGTERM. Settings are UCODER_* variables (`ucoder settings`).

    `proxy` is an OpenAI-compatible server in front of any other: it samples n answers and returns the one that
    execution consensus selects.

    Example: `ucoder serve proxy --upstream http://127.0.0.1:8000/v1 -n 32`
    """
    if name == "proxy":
        await _serve_proxy(upstream, listen or PROXY_ADDRESS, consensus, read_token(token_file), n, temperature)
        return
    overrides: dict[str, object] = {"listen": listen} if listen else {}
    await serve_services(load(None, **overrides), SERVICES if name == "all" else (name.replace("-", "_"),))


async def _serve_proxy(
    upstream: str | None, address: str, consensus: str | None, token: str, n: int, temperature: float
) -> None:
    """Serves the proxy. Its ConsensusService is the one at `consensus`, or runs in this process.

    Its imports are here, because the process of a service needs none of them.
    """
    import uvicorn

    from ucoder.cli.shared.embedded_services import consensus_service
    from ucoder.client import AsyncClient
    from ucoder.gateway.openai_proxy import ProxySampling, proxy
    from ucoder.gateway.upstream import Upstream
    from ucoder.runtime.http_server import listening_socket

    settings = load()
    url = upstream or settings.model_url
    if not url.startswith(("http://", "https://")):
        raise Misconfigured("--upstream: give the model server's URL, such as http://127.0.0.1:8000/v1.")
    if not 2 <= n <= 1024:
        raise Misconfigured(f"-n {n}: give a number between 2 and 1024; a single sample cannot agree with another.")
    with listening_socket(address, f"--listen {address}") as server_socket:
        async with consensus_service(consensus) as service, AsyncClient(service, token=token) as client:
            app = proxy(Upstream(url, settings.model_api_key), client, ProxySampling(n, temperature))
            host, port = server_socket.getsockname()[:2]
            Console(stderr=True).print(f"base URL: http://{host}:{port}/v1  (best of {n} from {url})", highlight=False)
            config = uvicorn.Config(app, log_level="warning", server_header=False, timeout_graceful_shutdown=30)
            # uvicorn's own handler of SIGTERM finishes the answers that are being made
            asyncio.get_running_loop().remove_signal_handler(signal.SIGTERM)
            await uvicorn.Server(config).serve([server_socket])
