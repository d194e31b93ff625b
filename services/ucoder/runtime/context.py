"""The context of a running service: bus, store, metrics, and the gRPC stubs of the other services."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from typing import Any

from ucoder.errors import Misconfigured
from ucoder.runtime.messaging.bus import Bus
from ucoder.runtime.messaging.dead_letters import DeadLetters
from ucoder.runtime.messaging.ledger import Ledger
from ucoder.runtime.messaging.run_states import RunStates
from ucoder.runtime.messaging.running_counts import RunningCounts
from ucoder.runtime.metrics import Metrics
from ucoder.runtime.peers import Peers
from ucoder.runtime.settings import Settings
from ucoder.runtime.storage.artifacts import Artifacts
from ucoder.runtime.storage.store import Store
from ucoder.runtime.tracing import Tracing


class _Absent:
    """The bus and the store of a process that has none: each use is an error."""

    def __getattr__(self, name: str) -> Any:
        raise Misconfigured(f"no bus and no store here, so no `{name}`; start the service without --standalone.")


class ServiceContext:
    """One per process, shared by all services of the process."""

    def __init__(
        self,
        settings: Settings,
        services: tuple[str, ...],
        store: Store,
        tracing: Tracing,
        bus: Bus,
        states: RunStates,
        counts: RunningCounts,
    ) -> None:
        self.settings, self.services = settings, services
        self.tracing, self.metrics = tracing, Metrics()
        self.bus, self.states, self.counts, self.dead_letters = bus, states, counts, DeadLetters(bus)
        self.artifacts = Artifacts(store)
        self.ledger = Ledger(counts, self.artifacts)
        self.peers = Peers(settings, services)
        self.web = ""
        """URL of the dashboard of this process, once it is open; empty where it serves none."""
        self._stack = contextlib.AsyncExitStack()
        self._shared: dict[str, Any] = {}

    @classmethod
    @contextlib.asynccontextmanager
    async def open(cls, settings: Settings, services: tuple[str, ...]) -> AsyncIterator["ServiceContext"]:
        """Connects to the bus and the store; closes everything that was opened through the context."""
        store, tracing = Store(settings), Tracing(settings, services)
        bus = await Bus.connect(settings)
        states, counts = await RunStates.open(bus), await RunningCounts.open(bus)
        context = cls(settings, services, store, tracing, bus, states, counts)
        context.metrics.watch_disk("cache", settings.cache_dir.expanduser().absolute())
        if store.folder:
            context.metrics.watch_disk("store", store.folder)
        try:
            async with context._stack:
                context._stack.push_async_callback(context.peers.close)
                yield context
        finally:
            await bus.close()
            await asyncio.to_thread(tracing.close)

    @classmethod
    @contextlib.asynccontextmanager
    async def open_standalone(cls, settings: Settings, services: tuple[str, ...]) -> AsyncIterator["ServiceContext"]:
        """Opens the context of services that answer calls alone: it has no bus and no store."""
        absent: Any = _Absent()
        tracing = Tracing(settings, services)
        context = cls(settings, services, absent, tracing, absent, absent, absent)
        try:
            async with context._stack:
                context._stack.push_async_callback(context.peers.close)
                yield context
        finally:
            await asyncio.to_thread(tracing.close)

    @property
    def address(self) -> str:
        """Address of this process' own gRPC server, once it is open."""
        return self.peers.own_address

    def shared(self, name: str, open_resource: Callable[[], Any]) -> Any:
        """Returns the resource of this name; opens it at the first call and closes it together with the context."""
        if name not in self._shared:
            self._shared[name] = open_resource()
            self._stack.push_async_callback(self._shared[name].close)
        return self._shared[name]
