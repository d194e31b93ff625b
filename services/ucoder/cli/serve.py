"""`ucoder serve`: one service, all of them, or the HTTP gateway, until SIGTERM."""

import asyncio
import contextlib
import os
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Annotated

from rich.console import Console
from typer import Argument, Option

from ucoder.cli.shared.embedded_services import STANDALONE
from ucoder.errors import Misconfigured
from ucoder.flow import SERVICES
from ucoder.runtime import log
from ucoder.runtime.app import serve as serve_services
from ucoder.runtime.app import serving
from ucoder.runtime.context import ServiceContext
from ucoder.runtime.settings import Settings, load


async def serve(
    name: Annotated[str, Argument(help=f"One of {', '.join(SERVICES)}; `all`; or `gateway`.")],
    listen: Annotated[
        str | None, Option(help="host:port; overrides UCODER_LISTEN, or UCODER_GATEWAY_LISTEN of the gateway.")
    ] = None,
    standalone: Annotated[
        bool,
        Option("--standalone", help="Without bus and store: gateway, consensus or sandbox_runner, with a sandbox."),
    ] = False,
    upstream: Annotated[
        str | None, Option(help="gateway: the model server behind /v1/chat/completions. UCODER_GATEWAY_UPSTREAM.")
    ] = None,
    n: Annotated[
        int | None, Option("-n", help="gateway: programs that compete for an answer. UCODER_GATEWAY_SAMPLES.")
    ] = None,
    temperature: Annotated[
        float | None,
        Option(min=0, max=2, help="gateway: temperature where the client names none. UCODER_GATEWAY_TEMPERATURE."),
    ] = None,
) -> None:
    """Serves one service, or all of them, until SIGTERM. Settings are UCODER_* variables (`ucoder settings`).

    `gateway` is the HTTP side of all calls: REST, the reward protocols of trainers, and an OpenAI-compatible server
    that samples n answers from another one and returns the best. `all` starts a bus of its own where UCODER_NATS_URL
    names none.

    Example: `ucoder serve gateway --standalone --upstream http://127.0.0.1:8000/v1 -n 32`
    """
    key = "gateway_listen" if name == "gateway" else "listen"
    flags = {key: listen, "gateway_upstream": upstream, "gateway_samples": n, "gateway_temperature": temperature}
    settings = load(None, **{flag: value for flag, value in flags.items() if value is not None})
    name = name.replace("-", "_")
    if name == "gateway":
        await _serve_gateway(settings, standalone)
    elif standalone:
        if name not in STANDALONE:
            raise Misconfigured(f"serve {name} --standalone: {', '.join(('gateway', *STANDALONE))} can be standalone.")
        services = STANDALONE if name == "consensus" else (name,)
        await serve_services(settings, services, standalone=True)
    elif name == "all":
        async with _bus_for_all(settings) as with_bus:
            await serve_services(with_bus, SERVICES)
    else:
        await serve_services(settings, (name,))


async def _serve_gateway(settings: Settings, standalone: bool) -> None:
    """Serves the gateway, in front of other services or of its own."""
    from ucoder.gateway.http_app import serve_gateway
    from ucoder.runtime.http_server import listening_socket

    log.configure(settings)
    upstream = settings.gateway_upstream
    if upstream and not upstream.startswith(("http://", "https://")):
        raise Misconfigured("--upstream: give the model server's URL, such as http://127.0.0.1:8000/v1.")
    async with contextlib.AsyncExitStack() as stack:
        listener = stack.enter_context(
            listening_socket(settings.gateway_listen, f"UCODER_GATEWAY_LISTEN={settings.gateway_listen}")
        )
        if standalone:
            own = {
                "listen": "127.0.0.1:0",
                "peers": "",
                "tls_certificate": None,
                "tokens_file": None,
                "metrics_port": 0,
            }
            behind = await stack.enter_async_context(
                serving(settings.model_copy(update=own), STANDALONE, standalone=True)
            )
            addresses = ",".join(f"{service}={behind.address}" for service in STANDALONE)
            plain = {"peers": addresses, "tls_certificate": None}
            context = await stack.enter_async_context(
                ServiceContext.open_standalone(settings.model_copy(update=plain), ())
            )
            context.settings = settings
        else:
            context = await stack.enter_async_context(ServiceContext.open_standalone(settings, ()))
        if settings.metrics_port:
            context.metrics.serve(settings.metrics_port)
        host, port = listener.getsockname()[:2]
        scheme = "https" if settings.tls_certificate else "http"
        Console(stderr=True).print(f"gateway: {scheme}://{host}:{port}", highlight=False, soft_wrap=True)
        await serve_gateway(context, listener)


@contextlib.asynccontextmanager
async def _bus_for_all(settings: Settings) -> AsyncIterator[Settings]:
    """Yields the settings with a bus: the one that they name or that runs at the default address, else an own one."""
    if "UCODER_NATS_URL" in os.environ or await _listening(settings.nats_url):
        yield settings
        return
    from ucoder.runtime.messaging.nats_server import nats_server

    folder = Path(settings.store_url.removeprefix("file://")).parent / "bus"
    if not settings.store_url.startswith("file://"):
        folder = Path(tempfile.mkdtemp(prefix="ucoder-bus-"))
    async with nats_server(folder) as url:
        Console(stderr=True).print(f"bus: {url}, with its state in {folder}", highlight=False, soft_wrap=True)
        yield settings.model_copy(update={"nats_url": url})


async def _listening(url: str) -> bool:
    """Returns whether something listens at the address of a URL."""
    host, _, port = url.rpartition("/")[2].rpartition(":")
    try:
        async with asyncio.timeout(1):
            _, writer = await asyncio.open_connection(host, int(port))
    except (OSError, ValueError, TimeoutError):
        return False
    writer.close()
    return True
