"""Renders the dashboard's pages: the routes, the templates and the stream that updates a run's page."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from importlib import resources
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response, StreamingResponse
from starlette.routing import Route

from ucoder.errors import NotFound, UcoderError
from ucoder.runs.dashboard.access import BrowserAccess
from ucoder.runs.dashboard.views import DashboardViews
from ucoder.runs.run_status import state_name
from ucoder.runtime.authentication import CallerTokens
from ucoder.v1 import runs_pb2

Page = Callable[[Request], Awaitable[Response]]
LIVE_SECONDS = 1.0
"""Time between two reads of a run whose page is open."""
STATIC = {"page.css": "text/css", "page.js": "text/javascript"}


def dashboard(views: DashboardViews, tokens: CallerTokens) -> Starlette:
    """Returns the application that serves the pages."""
    templates = Environment(
        loader=PackageLoader("ucoder.runs.dashboard"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )

    def render(template: str, **values: Any) -> str:
        return templates.get_template(template).render(values)

    def run_page(template: str, read: Callable[..., Awaitable[dict[str, Any]]], paged: bool = False) -> Page:
        """Returns the page of a run, or of a part of it. Where it is `paged`, the URL says which part of the list."""

        async def page(request: Request) -> Response:
            values = await read(**request.path_params, **({"page": _page_number(request)} if paged else {}))
            return HTMLResponse(render(template, run=request.path_params["run"], **values))

        return page

    async def runs(request: Request) -> Response:
        newest_first = sorted(await views.statuses(), key=lambda run: run.created.ToNanoseconds(), reverse=True)
        return HTMLResponse(render("runs.jinja", runs=newest_first, state_name=state_name))

    async def live(request: Request) -> Response:
        """Sends the changing part of a run's page, as a server-sent event at each change, until the run has ended."""
        name = request.path_params["run"]
        await views.status(name)

        async def events() -> AsyncIterator[str]:
            last = ""
            while not await request.is_disconnected():
                data = await views.run(name)
                if (part := render("live.jinja", run=name, **data)) != last:
                    last = part
                    yield "".join(f"data: {line}\n" for line in part.splitlines()) + "\n"
                if data["status"].state != runs_pb2.RUN_STATE_RUNNING:
                    yield "event: end\ndata:\n\n"
                    return
                await asyncio.sleep(LIVE_SECONDS)

        return StreamingResponse(events(), media_type="text/event-stream")

    async def static(request: Request) -> Response:
        name = request.path_params["file"]
        if name not in STATIC:
            raise HTTPException(404)
        data = (resources.files("ucoder.runs.dashboard") / "static" / name).read_bytes()
        return Response(data, media_type=STATIC[name])

    async def failure(request: Request, error: Exception) -> Response:
        missing = isinstance(error, NotFound)
        heading = "Not found" if missing else "Not available at the moment"
        return HTMLResponse(render("error.jinja", heading=heading, reason=str(error)), 404 if missing else 503)

    return Starlette(
        routes=[
            Route("/", runs),
            Route("/runs/{run}", run_page("run.jinja", views.run)),
            Route("/runs/{run}/live", live),
            Route("/runs/{run}/iterations/{iteration:int}", run_page("briefs.jinja", views.briefs, paged=True)),
            Route("/runs/{run}/briefs/{name}", run_page("brief.jinja", views.brief)),
            Route("/runs/{run}/rows/{dataset}", run_page("rows.jinja", views.rows, paged=True)),
            Route("/static/{file}", static),
        ],
        exception_handlers={UcoderError: failure},
        middleware=[Middleware(BrowserAccess, tokens=tokens)],
    )


def _page_number(request: Request) -> int:
    """Returns the number of the page that the URL asks for, counted from 0."""
    text = request.query_params.get("page", "1")
    return max(0, int(text) - 1) if text.isascii() and text.isdigit() and len(text) < 8 else 0
