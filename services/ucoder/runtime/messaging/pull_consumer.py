"""Pulls messages of one consumer as room for them appears, and starts a task for each the moment it arrives.

nats-py's own `fetch(n)` waits for n messages or its timeout, which would add seconds to every arrow of a trickling
pipeline; so the requests are sent here. A request carries an idle heartbeat: when the server falls silent (it was
restarted, the link is dead) what was asked for is forgotten and asked for again.
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
    """At most `room` messages are in hand at any time, and no more than that are ever asked for."""

    def __init__(self, bus: Bus, consumer: str, room: int, handle: Callable[[Msg], Awaitable[None]]) -> None:
        self._client = bus.client
        self._subject = f"$JS.API.CONSUMER.MSG.NEXT.{STREAM}.{consumer}"
        self._room, self._handle = room, handle
        self._asked = 0
        self._heard = 0.0
        self._wake = asyncio.Event()
        self.tasks: set[asyncio.Task[None]] = set()

    async def run(self, draining: asyncio.Event, ready: asyncio.Event) -> None:
        """Pulls until told to drain. `ready` is set while the server is heard."""
        inbox = self._client.new_inbox()
        subscription = await self._client.subscribe(inbox, cb=self._arrive)
        drained = asyncio.create_task(draining.wait())
        drained.add_done_callback(lambda _: self._wake.set())
        clock = asyncio.get_running_loop().time
        self._heard = clock()
        try:
            while not draining.is_set():
                if clock() - self._heard > 2.5 * HEARTBEAT:
                    self._asked, self._heard = 0, clock()
                    ready.clear()
                if (free := self._room - len(self.tasks) - self._asked) > 0 and self._client.is_connected:
                    await self._ask(inbox, free)
                    ready.set()
                elif not self._asked:
                    self._heard = clock()  # nothing is asked for, so nothing is to be heard
                self._wake.clear()
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._wake.wait(), HEARTBEAT)
        finally:
            drained.cancel()
            ready.clear()
            with contextlib.suppress(NatsError, OSError):
                await subscription.unsubscribe()  # the server gives nothing to an inbox that nobody reads

    async def _ask(self, inbox: str, count: int) -> None:
        request = {"batch": count, "expires": int(EXPIRES * 1e9), "idle_heartbeat": int(HEARTBEAT * 1e9)}
        self._asked += count
        with contextlib.suppress(NatsError, OSError):  # unheard, it is asked for again
            await self._client.publish(self._subject, json.dumps(request).encode(), reply=inbox)

    async def _arrive(self, message: Msg) -> None:
        self._heard = asyncio.get_running_loop().time()
        headers = message.headers or {}
        if status := headers.get("Status"):
            if status != "100":  # a request has ended: with 408 for its time, 404 or 409 for what the words say
                left = int(headers.get("Nats-Pending-Messages", self._asked))
                self._asked = max(0, self._asked - left)
                await asyncio.sleep(0 if status == "408" else 0.1)
            self._wake.set()
            return
        self._asked = max(0, self._asked - 1)
        task = asyncio.ensure_future(self._handle(message))
        self.tasks.add(task)
        task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[None]) -> None:
        self.tasks.discard(task)
        self._wake.set()
