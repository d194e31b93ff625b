"""The dashboard's routes: pages, the live stream, and the door before them."""

import asyncio
import base64
import binascii
from collections.abc import AsyncIterator, Awaitable, Callable
from importlib import resources
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ucoder.errors import NotFound, UcoderError
from ucoder.runs.dashboard import views
from ucoder.runs.dashboard.views import DashboardViews
from ucoder.runtime.authentication import CALLER, CallerTokens
from ucoder.v1 import runs_pb2

LOOK_SECONDS = 1.0
"""Between two looks at a run that somebody watches."""
HEADERS = {
    "content-security-policy": "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; "
    "img-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cache-control": "no-store",
}
STATIC = {"page.css": "text/css", "page.js": "text/javascript"}


def dashboard(seen: DashboardViews, tokens: CallerTokens) -> Starlette:
    """The application. Where a tokens file is set, a browser asks for a token as the password of any user name."""
    templates = Environment(
        loader=PackageLoader("ucoder.runs.dashboard"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )

    def html(template: str, **values: Any) -> str:
        return templates.get_template(template).render(values)

    async def runs(request: Request) -> Response:
        found = sorted(await seen.statuses(), key=lambda status: status.created.ToNanoseconds(), reverse=True)
        return HTMLResponse(html("runs.jinja", runs=found, state_name=views.state_name))

    async def run(request: Request) -> Response:
        shown = await views.run_of(seen, request.path_params["run"])
        return HTMLResponse(html("run.jinja", run=request.path_params["run"], **shown))

    async def live(request: Request) -> Response:
        """A server-sent event with the page's moving part whenever it has changed, until the run has ended."""
        name = request.path_params["run"]
        await seen.status(name)

        async def events() -> AsyncIterator[str]:
            last = ""
            while not await request.is_disconnected():
                shown = await views.run_of(seen, name)
                if (part := html("live.jinja", run=name, **shown)) != last:
                    last = part
                    yield "".join(f"data: {line}\n" for line in part.splitlines()) + "\n"
                if shown["status"].state != runs_pb2.RUN_STATE_RUNNING:
                    yield "event: end\ndata:\n\n"
                    return
                await asyncio.sleep(LOOK_SECONDS)

        return StreamingResponse(events(), media_type="text/event-stream")

    async def briefs(request: Request) -> Response:
        name = request.path_params["run"]
        shown = await views.briefs_of(seen, name, request.path_params["iteration"], _page(request))
        return HTMLResponse(html("briefs.jinja", run=name, **shown))

    async def brief(request: Request) -> Response:
        name = request.path_params["run"]
        shown = await views.life_of(seen, name, request.path_params["name"])
        return HTMLResponse(html("brief.jinja", run=name, **shown))

    async def rows(request: Request) -> Response:
        name = request.path_params["run"]
        shown = await views.rows_of(seen, name, request.path_params["dataset"], _page(request))
        return HTMLResponse(html("rows.jinja", run=name, **shown))

    async def static(request: Request) -> Response:
        name = request.path_params["file"]
        if name not in STATIC:
            raise HTTPException(404)
        data = (resources.files("ucoder.runs.dashboard") / "static" / name).read_bytes()
        return Response(data, media_type=STATIC[name])

    async def refused(request: Request, error: Exception) -> Response:
        code = 404 if isinstance(error, NotFound) else 503
        return HTMLResponse(html("refused.jinja", words=str(error)), status_code=code)

    return Starlette(
        routes=[
            Route("/", runs),
            Route("/runs/{run}", run),
            Route("/runs/{run}/live", live),
            Route("/runs/{run}/iterations/{iteration:int}", briefs),
            Route("/runs/{run}/briefs/{name}", brief),
            Route("/runs/{run}/rows/{dataset}", rows),
            Route("/static/{file}", static),
        ],
        exception_handlers={UcoderError: refused},
        middleware=[Middleware(_Door, tokens=tokens)],
    )


def _page(request: Request) -> int:
    """The page asked for, from 0."""
    text = request.query_params.get("page", "1")
    return max(0, int(text) - 1) if text.isascii() and text.isdigit() and len(text) < 8 else 0


class _Door:
    """Asks for a token where tokens are set, and gives every answer its headers."""

    def __init__(self, app: ASGIApp, tokens: CallerTokens) -> None:
        self._app, self._tokens = app, tokens

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        caller = self._tokens.caller(_offered(dict(scope["headers"]).get(b"authorization", b"")))
        if caller is None:
            ask = {"www-authenticate": 'Basic realm="ucoder: any name, a token as password"'}
            await PlainTextResponse("a known token is needed.", 401, ask)(scope, receive, _with_headers(send))
            return
        CALLER.set(caller)
        await self._app(scope, receive, _with_headers(send))


def _with_headers(send: Send) -> Callable[[Message], Awaitable[None]]:
    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            extra = [(name.encode(), value.encode()) for name, value in HEADERS.items()]
            message = {**message, "headers": [*message.get("headers", []), *extra]}
        await send(message)

    return sending


def _offered(header: bytes) -> str:
    """The token of `Bearer TOKEN`, or the password of `Basic`."""
    kind, _, rest = header.decode("latin-1").partition(" ")
    if kind.lower() != "basic":
        return rest
    try:
        return base64.b64decode(rest, validate=True).decode().partition(":")[2]
    except (binascii.Error, UnicodeDecodeError):
        return ""
