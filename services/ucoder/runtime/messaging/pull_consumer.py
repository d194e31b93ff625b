"""Pulls the messages of one consumer as far as there is room for them, and starts a task for each when it arrives.

nats-py's own `fetch(n)` waits for n messages or its timeout, which would add seconds to every arrow of a pipeline with
few messages. So this module sends the requests itself. A request carries an idle heartbeat: when the server is silent
(it restarted, the connection is dead), the open requests are forgotten and sent again.
"""

import asyncio
import contextlib
import json
from collections.abc import Awaitable, Callable

from nats.aio.msg import Msg
from nats.errors import Error as NatsError

from ucoder.runtime.messaging.bus import STREAM, Bus

EXPIRES, HEARTBEAT = 30.0, 2.0  # seconds


class PullConsumer:
    """Keeps at most `limit` messages in progress, and never requests more than that."""

    def __init__(self, bus: Bus, consumer: str, limit: int, handle: Callable[[Msg], Awaitable[None]]) -> None:
        self._client = bus.client
        self._subject = f"$JS.API.CONSUMER.MSG.NEXT.{STREAM}.{consumer}"
        self._limit, self._handle = limit, handle
        self._requested = 0
        self._last_heard = 0.0
        self._wake = asyncio.Event()
        self.tasks: set[asyncio.Task[None]] = set()

    async def run(self, draining: asyncio.Event, ready: asyncio.Event) -> None:
        """Pulls until `draining` is set. `ready` is set while the server answers."""
        inbox = self._client.new_inbox()
        subscription = await self._client.subscribe(inbox, cb=self._receive)
        drained = asyncio.create_task(draining.wait())
        drained.add_done_callback(lambda _: self._wake.set())
        clock = asyncio.get_running_loop().time
        self._last_heard = clock()
        try:
            while not draining.is_set():
                if clock() - self._last_heard > 2.5 * HEARTBEAT:
                    self._requested, self._last_heard = 0, clock()
                    ready.clear()
                free = self._limit - len(self.tasks) - self._requested
                if free > 0 and self._client.is_connected:
                    await self._request(inbox, free)
                    ready.set()
                elif not self._requested:
                    self._last_heard = clock()  # without an open request the server sends nothing
                self._wake.clear()
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._wake.wait(), HEARTBEAT)
        finally:
            drained.cancel()
            ready.clear()
            with contextlib.suppress(NatsError, OSError):
                await subscription.unsubscribe()  # the server sends nothing to an inbox without a subscription

    async def _request(self, inbox: str, count: int) -> None:
        request = {"batch": count, "expires": int(EXPIRES * 1e9), "idle_heartbeat": int(HEARTBEAT * 1e9)}
        self._requested += count
        with contextlib.suppress(NatsError, OSError):  # a lost request is sent again after the silence
            await self._client.publish(self._subject, json.dumps(request).encode(), reply=inbox)

    async def _receive(self, message: Msg) -> None:
        self._last_heard = asyncio.get_running_loop().time()
        headers = message.headers or {}
        if status := headers.get("Status"):
            if status != "100":  # a request has ended: 408 when it expired, 404 or 409 for other reasons
                left = int(headers.get("Nats-Pending-Messages", self._requested))
                self._requested = max(0, self._requested - left)
                await asyncio.sleep(0 if status == "408" else 0.1)
            self._wake.set()
            return
        self._requested = max(0, self._requested - 1)
        task = asyncio.ensure_future(self._handle(message))
        self.tasks.add(task)
        task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[None]) -> None:
        self.tasks.discard(task)
        self._wake.set()
