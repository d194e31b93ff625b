"""The one builder: settings -> world -> services -> workers and gRPC with health -> drain.

A service is a package with a `service.py` whose `Service` is a gRPC servicer, and one module per arrow whose `run`
takes that servicer, the source artefact and the run. The builder gives them everything else, so none can forget it.
"""

import asyncio
import contextlib
import functools
import importlib
import signal
from collections.abc import AsyncIterator
from typing import Any

import grpc
import structlog
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from ucoder.errors import Misconfigured
from ucoder.flow import SERVICES, arrows_of
from ucoder.runtime import log as logs
from ucoder.runtime.context import ServiceContext
from ucoder.runtime.messaging.arrow_worker import ArrowWorker
from ucoder.runtime.rpc import Doorkeeper, open_port
from ucoder.runtime.settings import Settings

log = structlog.get_logger()


@contextlib.asynccontextmanager
async def serving(settings: Settings, services: tuple[str, ...]) -> AsyncIterator[ServiceContext]:
    """Serves while the block runs; then drains: no new work, work in hand finishes or goes back, doors close."""
    async with contextlib.AsyncExitStack() as stack:
        context = await stack.enter_async_context(ServiceContext.open(settings, services))
        server, doors = _server(context)
        host = settings.listen.rpartition(":")[0]
        context.address = f"{'127.0.0.1' if host in ('0.0.0.0', '[::]') else host}:{open_port(server, settings)}"
        workers = []
        for name in services:
            module = importlib.import_module(f"ucoder.{name}.service")
            service = await stack.enter_async_context(module.Service.open(context))
            module.REGISTER(service, server)
            workers += [_worker(context, service, arrow) for arrow in arrows_of(name)]
        await server.start()
        if settings.metrics_port:
            context.telemetry.serve(settings.metrics_port)
        tasks = [asyncio.create_task(worker.work(), name=worker.arrow.name) for worker in workers]
        watch = asyncio.create_task(_watch_health(doors, services, workers))
        log.info(
            "service.started",
            services=services,
            address=context.address,
            **({"web": context.web} if context.web else {}),
        )
        try:
            yield context
        finally:
            watch.cancel()
            await doors.enter_graceful_shutdown()
            for worker in workers:
                worker.drain()
            await asyncio.gather(*tasks, return_exceptions=True)
            await server.stop(grace=min(5.0, settings.drain_seconds))
            log.info("service.stopped", services=services)


async def serve(settings: Settings, services: tuple[str, ...]) -> None:
    """Serves until SIGTERM or SIGINT."""
    logs.configure(settings)
    for name in services:
        if name not in SERVICES:
            raise Misconfigured(f"no service {name}; there are {', '.join(SERVICES)}, and `all`.")
    stop = asyncio.Event()
    for sign in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(sign, stop.set)
    async with serving(settings, services):
        await stop.wait()


def _server(context: ServiceContext) -> tuple[grpc.aio.Server, health.aio.HealthServicer]:
    settings = context.settings
    limit = settings.max_message_mb << 20
    server = grpc.aio.server(
        interceptors=[Doorkeeper(settings, context.telemetry)],
        options=[
            ("grpc.max_receive_message_length", limit),
            ("grpc.max_send_message_length", limit),
            ("grpc.so_reuseport", 0),  # or a busy port would be shared in silence
            ("grpc.keepalive_time_ms", 60_000),
        ],
    )
    doors = health.aio.HealthServicer()
    health_pb2_grpc.add_HealthServicer_to_server(doors, server)
    names = [_grpc_name(name) for name in context.services]
    reflection.enable_server_reflection([*names, health.SERVICE_NAME, reflection.SERVICE_NAME], server)
    return server, doors


def _worker(context: ServiceContext, service: Any, arrow: Any) -> ArrowWorker:
    stage = importlib.import_module(arrow.module)
    return ArrowWorker(
        arrow,
        functools.partial(stage.run, service),
        bus=context.bus,
        states=context.states,
        dead=context.dead,
        artifacts=context.artifacts,
        settings=context.settings,
        telemetry=context.telemetry,
    )


async def _watch_health(
    doors: health.aio.HealthServicer, services: tuple[str, ...], workers: list[ArrowWorker]
) -> None:
    """Readiness follows the workers, not the socket: a service cut off from the bus is not ready."""
    status = health_pb2.HealthCheckResponse
    while True:
        ready = all(worker.ready.is_set() for worker in workers)
        for name in ("", *map(_grpc_name, services)):
            await doors.set(name, status.SERVING if ready else status.NOT_SERVING)
        await asyncio.sleep(0.2)


def _grpc_name(service: str) -> str:
    """`sandbox_runner` -> `ucoder.v1.SandboxService`, as its service.py declares it."""
    return str(importlib.import_module(f"ucoder.{service}.service").NAME)
