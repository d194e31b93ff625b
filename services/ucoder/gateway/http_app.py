"""The gateway: one HTTP application with every path, and the server that runs it until SIGTERM."""

import asyncio
import contextlib
import signal
import socket
from collections.abc import Generator

import uvicorn
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute

from ucoder.errors import NotFound, Reject
from ucoder.gateway.error_answers import problem_response, status_of
from ucoder.gateway.openai import openai_paths
from ucoder.gateway.openai.openai_paths import HEADER, OpenAIPaths
from ucoder.gateway.openai.upstream import Upstream
from ucoder.gateway.openapi import Described, description
from ucoder.gateway.program_calls import ProgramCalls
from ucoder.gateway.protocols import open_instruct, sandbox_fusion
from ucoder.gateway.protocols.open_instruct import OpenInstructPaths
from ucoder.gateway.protocols.sandbox_fusion import SandboxFusionPaths
from ucoder.gateway.protocols.scalebox import ScaleBoxPaths
from ucoder.gateway.request_checks import Handler, Incoming, RequestChecks
from ucoder.gateway.rest_calls import REST_CALLS, RestCall, answer_call
from ucoder.runtime.context import ServiceContext

READY_SECONDS = 2.0


def gateway(context: ServiceContext) -> Starlette:
    """Returns the application. `context.peers` reaches the services behind it."""
    settings = context.settings
    checks = RequestChecks(context)
    calls = ProgramCalls(context.peers)
    routes: list[BaseRoute] = []
    handler: Handler
    described: Described = {}

    routes += [checks.route(call.path, _rest_handler(call, context), problem_response) for call in REST_CALLS]
    fusion, scalebox, instruct = SandboxFusionPaths(calls), ScaleBoxPaths(calls), OpenInstructPaths(calls)
    fusion_style = sandbox_fusion.error_style(settings.gateway_faults)
    for method, path, handler, summary in (
        ("POST", "/run_code", fusion.run_code, "SandboxFusion: runs one program."),
        ("POST", "/submit", fusion.submit, "SandboxFusion: judges a completion."),
        ("POST", "/get_prompts", fusion.get_prompts, "SandboxFusion: the prompts of given rows."),
        ("POST", "/get_prompt_by_id", fusion.get_prompt_by_id, "SandboxFusion: the prompt of a given row."),
        ("POST", "/list_ids", fusion.list_ids, "SandboxFusion: the ids of given rows."),
        ("GET", "/list_datasets", fusion.list_datasets, "SandboxFusion: the stored data sets, which are none."),
        ("POST", "/get_metrics", fusion.get_metrics, "SandboxFusion: the share of accepted results."),
        ("POST", "/get_metrics_function", fusion.get_metrics_function, "SandboxFusion: no function."),
        ("POST", "/common_evaluate_batch", scalebox.evaluate_batch, "ScaleBox: judges all cases of a completion."),
        ("POST", "/common_evaluate", scalebox.evaluate, "ScaleBox: judges a list of cases."),
    ):
        routes.append(checks.route(path, handler, fusion_style, method))
        described[path] = (method, summary)
    for path, handler, summary in (
        ("/test_program", instruct.test_program, "open-instruct: judges a program by asserts."),
        ("/test_program_stdio", instruct.test_program_stdio, "open-instruct: judges a script by its output."),
    ):
        routes.append(checks.route(path, handler, open_instruct.error_style))
        described[path] = ("POST", summary)

    chat = OpenAIPaths(context, _upstream(context))
    for method, path, handler, summary in (
        ("POST", "/v1/chat/completions", chat.chat, "OpenAI: a chat, answered with the best of n where it can judge."),
        ("POST", "/v1/completions", chat.completions, "OpenAI: a completion, in the same way."),
        ("GET", "/v1/models", chat.models, "OpenAI: the models of the model server."),
        ("GET", "/v1/models/{model:path}", chat.model, "OpenAI: one model."),
    ):
        routes.append(checks.route(path, handler, openai_paths.error_style, method))
        described[path] = (method, summary)

    async def openapi(incoming: Incoming) -> Response:
        return JSONResponse(description(described))

    for path, handler, summary in (
        ("/v1/ping", fusion.ping, "SandboxFusion: liveness."),
        ("/health", instruct.health, "Liveness."),
        ("/ready", _ready_handler(context), "Readiness: the services behind the gateway answer."),
        ("/openapi.json", openapi, "This description."),
    ):
        routes.append(checks.route(path, handler, problem_response, "GET", open_to_all=True))
        described[path] = ("GET", summary)

    origins = [origin.strip() for origin in settings.gateway_origins.split(",") if origin.strip()]
    cors = Middleware(
        CORSMiddleware,
        allow_origins=origins,
        allow_methods=["GET", "POST"],
        allow_headers=["*"],
        expose_headers=[HEADER],
    )
    return Starlette(
        routes=routes,
        middleware=[cors] if origins else [],
        exception_handlers={HTTPException: _unknown_path},
    )


async def serve_gateway(context: ServiceContext, listener: socket.socket) -> None:
    """Serves until SIGTERM or SIGINT; requests in progress then have `drain_seconds` to finish."""
    settings = context.settings
    config = uvicorn.Config(
        gateway(context),
        log_config=None,
        server_header=False,
        timeout_graceful_shutdown=int(settings.drain_seconds),
        ssl_certfile=settings.tls_certificate,
        ssl_keyfile=settings.tls_key,
        ssl_ca_certs=str(settings.tls_client_ca) if settings.tls_client_ca else None,
        ssl_cert_reqs=2 if settings.tls_client_ca else 0,
    )
    server = _SignalFreeServer(config)
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, setattr, server, "should_exit", True)
    await server.serve([listener])


class _SignalFreeServer(uvicorn.Server):
    """A server whose signals are handled outside, so that a graceful end is a success."""

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None]:
        """Leaves the signals alone."""
        yield


def _upstream(context: ServiceContext) -> Upstream | None:
    """Returns the client of the model server, which is closed with the context; None where there is no server."""
    settings = context.settings
    if not settings.gateway_upstream:
        return None
    server = Upstream(settings.gateway_upstream, settings.model_api_key)
    return context.shared("upstream", lambda: server)  # type: ignore[no-any-return]


def _rest_handler(call: RestCall, context: ServiceContext) -> Handler:
    async def handle(incoming: Incoming) -> Response:
        return await answer_call(call, context.peers, incoming)

    return handle


def _ready_handler(context: ServiceContext) -> Handler:
    async def ready(incoming: Incoming) -> Response:
        for name in ("consensus", "sandbox_runner"):
            await context.peers.check(name, READY_SECONDS)
        return JSONResponse({"status": "ready"})

    return ready


async def _unknown_path(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    wrong: Reject = NotFound(f"no path {request.url.path}; /openapi.json lists them all.")
    if error.status_code == 405:
        wrong = Reject(f"{request.url.path}: {request.method} is not answered here; /openapi.json lists the methods.")
    return JSONResponse(
        {"detail": str(wrong), "status": error.status_code},
        status_of(wrong) if error.status_code == 404 else error.status_code,
        media_type="application/problem+json",
    )
