"""The context of a running service: bus, store, metrics, and the gRPC stubs of the other services."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar

from ucoder.runtime.messaging.bus import Bus
from ucoder.runtime.messaging.dead_letters import DeadLetters
from ucoder.runtime.messaging.run_states import RunStates
from ucoder.runtime.metrics import Metrics
from ucoder.runtime.peers import Peers
from ucoder.runtime.settings import Settings
from ucoder.runtime.storage.artifacts import Artifacts
from ucoder.runtime.storage.ledger import Ledger
from ucoder.runtime.storage.store import Store
from ucoder.runtime.tracing import Tracing


class Closable(Protocol):
    """The interface of a resource that `shared` closes."""

    async def close(self) -> None: ...


C = TypeVar("C", bound=Closable)


@dataclass
class ServiceContext:
    """One per process, shared by all services of the process."""

    settings: Settings
    services: tuple[str, ...]
    bus: Bus
    states: RunStates
    dead_letters: DeadLetters
    artifacts: Artifacts
    ledger: Ledger
    peers: Peers
    metrics: Metrics
    tracing: Tracing
    web: str = ""
    """URL of the dashboard of this process, once it is open; empty where it serves none."""
    _stack: contextlib.AsyncExitStack = field(default_factory=contextlib.AsyncExitStack)
    _shared: dict[str, Any] = field(default_factory=dict)

    @classmethod
    @contextlib.asynccontextmanager
    async def open(cls, settings: Settings, services: tuple[str, ...]) -> AsyncIterator["ServiceContext"]:
        """Connects to the bus and the store; closes everything that was opened through the context."""
        store, tracing = Store(settings), Tracing(settings, services)
        bus = await Bus.connect(settings)
        context = cls(
            settings=settings,
            services=services,
            bus=bus,
            states=await RunStates.open(bus),
            dead_letters=DeadLetters(bus),
            artifacts=Artifacts(store),
            ledger=Ledger(store),
            peers=Peers(settings, services),
            metrics=Metrics(),
            tracing=tracing,
        )
        try:
            async with context._stack:
                context._stack.push_async_callback(context.peers.close)
                yield context
        finally:
            await bus.close()
            await asyncio.to_thread(tracing.close)

    @property
    def address(self) -> str:
        """Address of this process' own gRPC server, once it is open."""
        return self.peers.own_address

    def shared(self, name: str, open_resource: Callable[[], C]) -> C:
        """Returns the resource of this name; opens it at the first call and closes it together with the context."""
        if name not in self._shared:
            self._shared[name] = resource = open_resource()
            self._stack.push_async_callback(resource.close)
        return self._shared[name]  # type: ignore[no-any-return]
