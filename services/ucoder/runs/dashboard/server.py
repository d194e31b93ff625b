"""Serves the dashboard over HTTP for as long as the runs service runs."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

import uvicorn

from ucoder.runs.dashboard.pages import dashboard
from ucoder.runs.dashboard.views import DashboardViews
from ucoder.runtime.authentication import CallerTokens
from ucoder.runtime.http_server import listening_socket
from ucoder.runtime.settings import Settings


@contextlib.asynccontextmanager
async def serve_dashboard(settings: Settings, views: DashboardViews) -> AsyncIterator[str]:
    """Serves at `UCODER_WEB_LISTEN` while the block runs and yields the URL; the empty text when it is not set."""
    if not settings.web_listen:
        yield ""
        return
    with listening_socket(settings.web_listen, f"UCODER_WEB_LISTEN={settings.web_listen}") as listener:
        config = uvicorn.Config(
            dashboard(views, CallerTokens(settings.tokens_file)),
            log_config=None,
            lifespan="off",
            server_header=False,
            timeout_graceful_shutdown=1,
            ssl_certfile=settings.tls_certificate,
            ssl_keyfile=settings.tls_key,
        )
        server = _Server(config)
        task = asyncio.create_task(server.serve([listener]))
        scheme, (host, port) = "https" if settings.tls_certificate else "http", listener.getsockname()[:2]
        try:
            yield f"{scheme}://{'127.0.0.1' if host in ('0.0.0.0', '::') else host}:{port}"
        finally:
            server.should_exit = True
            await task


class _Server(uvicorn.Server):
    """A uvicorn server that leaves the signals of the process to the service."""

    @contextlib.contextmanager
    def capture_signals(self):  # type: ignore[no-untyped-def]
        yield
