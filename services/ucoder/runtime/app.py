"""Builds and runs the services of a process: settings, context, workers, gRPC server with health, graceful end.

A service is a package with a `service.py`, whose `Service` is a gRPC servicer, and with one module per arrow, whose
`run` takes that servicer, the source artefact and the run. `Service(context)` makes the servicer or, where something
is to be closed at the end, `Service.open(context)`. Everything else is done here, so no service can forget it.
"""

import asyncio
import contextlib
import functools
import importlib
import signal
from collections.abc import AsyncIterator

import structlog
from grpc_health.v1 import health, health_pb2

from ucoder.errors import Misconfigured
from ucoder.flow import SERVICES, arrows_of
from ucoder.runtime import log as logs
from ucoder.runtime.context import ServiceContext
from ucoder.runtime.grpc_server import new_server, open_port
from ucoder.runtime.messaging.arrow_worker import ArrowWorker
from ucoder.runtime.settings import Settings

HEALTH_SECONDS = 0.2
log = structlog.get_logger()


@contextlib.asynccontextmanager
async def serving(
    settings: Settings, services: tuple[str, ...], *, standalone: bool = False
) -> AsyncIterator[ServiceContext]:
    """Serves while the block runs, then ends gracefully.

    At the end no new work is taken, work in progress is finished or handed back to the bus, and the port is closed.
    `standalone` needs neither bus nor store: the services answer calls and work on no arrow.
    """
    open_context = ServiceContext.open_standalone if standalone else ServiceContext.open
    async with contextlib.AsyncExitStack() as stack:
        context = await stack.enter_async_context(open_context(settings, services))
        modules = {name: importlib.import_module(f"ucoder.{name}.service") for name in services}
        grpc_names = [module.NAME for module in modules.values()]
        server, health_servicer = new_server(context, grpc_names)
        host = settings.listen.rpartition(":")[0]
        port = open_port(server, settings)
        context.peers.own_address = f"{'127.0.0.1' if host in ('0.0.0.0', '[::]') else host}:{port}"
        workers = []
        for name, module in modules.items():
            if hasattr(module.Service, "open"):
                service = await stack.enter_async_context(module.Service.open(context))
            else:
                service = module.Service(context)
            module.REGISTER(service, server)
            for arrow in () if standalone else arrows_of(name):
                run = functools.partial(importlib.import_module(arrow.module).run, service)
                workers.append(ArrowWorker(arrow, run, context))
        await server.start()
        if settings.metrics_port:
            context.metrics.serve(settings.metrics_port)
        tasks = [asyncio.create_task(worker.work(), name=worker.arrow.name) for worker in workers]
        health_task = asyncio.create_task(_report_health(health_servicer, ["", *grpc_names], workers))
        web = {"web": context.web} if context.web else {}
        log.info("service.started", services=services, address=context.address, **web)
        try:
            yield context
        finally:
            health_task.cancel()
            await health_servicer.enter_graceful_shutdown()
            for worker in workers:
                worker.drain()
            await asyncio.gather(*tasks, return_exceptions=True)
            await server.stop(grace=min(5.0, settings.drain_seconds))
            log.info("service.stopped", services=services)


async def serve(settings: Settings, services: tuple[str, ...], *, standalone: bool = False) -> None:
    """Serves until SIGTERM or SIGINT."""
    logs.configure(settings)
    for name in services:
        if name not in SERVICES:
            raise Misconfigured(f"no service {name}; there are {', '.join(SERVICES)}, and `all`.")
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with serving(settings, services, standalone=standalone):
        await stop.wait()


async def _report_health(servicer: health.aio.HealthServicer, names: list[str], workers: list[ArrowWorker]) -> None:
    """Reports ready while every worker is connected to the bus: an open port alone is not enough."""
    while True:
        ready = all(worker.ready.is_set() for worker in workers)
        status = health_pb2.HealthCheckResponse.SERVING if ready else health_pb2.HealthCheckResponse.NOT_SERVING
        for name in names:
            await servicer.set(name, status)
        await asyncio.sleep(HEALTH_SECONDS)
