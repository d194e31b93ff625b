"""What a service is given: the bus, the store, the model, and the way to the other services."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import TypeVar

import grpc

from ucoder.errors import Misconfigured
from ucoder.models import Model, open_model
from ucoder.runtime import tls
from ucoder.runtime.messaging.bus import Bus
from ucoder.runtime.messaging.dead_letters import DeadLetters
from ucoder.runtime.messaging.run_states import RunStates
from ucoder.runtime.metrics import Metrics
from ucoder.runtime.settings import Settings
from ucoder.runtime.storage.artifacts import Artifacts
from ucoder.runtime.storage.ledger import Ledger
from ucoder.runtime.storage.store import Store
from ucoder.runtime.tracing import Carrier, Tracing

S = TypeVar("S")


@dataclass
class ServiceContext:
    """One per process. `address` is where its own doors are and `web` its dashboard's URL, once they are open."""

    settings: Settings
    bus: Bus
    states: RunStates
    dead: DeadLetters
    artifacts: Artifacts
    ledger: Ledger
    telemetry: Metrics
    services: tuple[str, ...]
    address: str = ""
    web: str = ""
    _stack: contextlib.AsyncExitStack = field(default_factory=contextlib.AsyncExitStack)
    _model: Model | None = None
    _channels: dict[tuple[str, int], grpc.aio.Channel] = field(default_factory=dict)

    @classmethod
    @contextlib.asynccontextmanager
    async def open(cls, settings: Settings, services: tuple[str, ...]) -> AsyncIterator["ServiceContext"]:
        """Connects to the bus and the store; closes everything that was opened through it."""
        store, tracing = Store(settings), Tracing(settings, services)
        bus = await Bus.connect(settings)
        context = cls(
            settings,
            bus,
            await RunStates.open(bus),
            DeadLetters(bus),
            Artifacts(store),
            Ledger(store),
            Metrics(tracing),
            services,
        )
        try:
            async with context._stack:
                yield context
        finally:
            await bus.close()
            await asyncio.to_thread(tracing.close)

    def model(self) -> Model:
        """The model's server, opened at the first call and shared by the services of this process."""
        if self._model is None:
            self._model = open_model(self.settings, self.artifacts.store)
            self._stack.push_async_callback(self._model.close)
        return self._model

    def stub(self, stub: Callable[[grpc.aio.Channel], S], service: str) -> S:
        """A gRPC stub of another service, or of this process where `UCODER_PEERS` does not name that service."""
        peers = dict(entry.split("=", 1) for entry in self.settings.peers.split(",") if "=" in entry)
        address = peers.get(service) or (self.address if service in self.services else "")
        if not address:
            raise Misconfigured(f"nobody serves {service} here: add {service}=host:port to UCODER_PEERS.")
        key = address, tls.identity(self.settings)
        if key not in self._channels:
            self._channels[key] = channel = self._dial(address)
            self._stack.push_async_callback(channel.close)
        return stub(self._channels[key])

    def _dial(self, address: str) -> grpc.aio.Channel:
        limit = self.settings.max_message_mb << 20
        options = [
            ("grpc.max_send_message_length", limit),
            ("grpc.max_receive_message_length", limit),
            ("grpc.lb_policy_name", "round_robin"),
        ]
        if (credentials := tls.of_peers(self.settings)) is None:
            return grpc.aio.insecure_channel(address, options, interceptors=[Carrier()])
        return grpc.aio.secure_channel(address, credentials, options, interceptors=[Carrier()])
