"""The worker of one arrow: pulls messages, calls the stage's `run`, stores and announces the products, acknowledges.

The rules:
- A message is acknowledged only after its products are stored and announced.
- While a stage runs, a heartbeat tells the server so.
- A worker never holds more messages than it works on.
- The error of a failing stage decides what happens to the message (errors.py).
- A brief that fails permanently ends, so that its iteration can be counted complete. Any other artefact ends the run.
"""

import asyncio
import contextlib
import time
import traceback
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any

import grpc
import structlog
from google.protobuf.message import Message
from nats.aio.msg import Msg
from nats.errors import Error as NatsError

from ucoder.errors import NotFound, Overloaded, Reject, Retry, UcoderError, Unwanted, of_call
from ucoder.flow import BRIEF_KINDS, Arrow
from ucoder.runtime.context import ServiceContext
from ucoder.runtime.messaging.bus import parse_ref
from ucoder.runtime.messaging.count_chunks import MADE, STAGES, ending_key
from ucoder.runtime.messaging.pull_consumer import PullConsumer
from ucoder.runtime.storage.artifacts import brief_named, brief_of
from ucoder.runtime.tracing import trace_id
from ucoder.v1 import artifacts_pb2 as pb

log = structlog.get_logger()
FAN_OUTS = 256
"""Messages of an arrow that fans out that one process works on at once; it mostly waits for room for its products."""
RETRY_FACTOR = 4
"""Times as many attempts are made after transient failures as after bugs."""


@dataclass(frozen=True, slots=True)
class Dropped:
    """The result of a stage that ends a brief: `reason` in snake_case, `detail` for people."""

    reason: str
    detail: str = ""


Product = Message | Sequence[Message] | AsyncIterator[Sequence[Message]] | Dropped | None
"""The result of a stage. One that makes more artefacts than fit into memory yields them bit by bit."""
Run = Callable[[Any, pb.Run], Awaitable[Product]]


class ArrowWorker:
    """Works on the messages of one arrow until it is drained."""

    def __init__(self, arrow: Arrow, run: Run, context: ServiceContext) -> None:
        self.arrow = arrow
        self._run, self._context = run, context
        settings = context.settings
        self._limit = (
            FAN_OUTS
            if arrow.shape == "fan_out"
            else {
                "single": 1,
                "model": settings.model_concurrency,
                "sandbox": settings.sandbox_concurrency,
                "compute": settings.compute_concurrency,
            }[arrow.bound]
        )
        self._draining = asyncio.Event()
        self._runs: dict[str, pb.Run] = {}
        self.ready = asyncio.Event()

    async def work(self) -> None:
        """Works until `drain`; then finishes the messages in progress, and hands back those that take too long."""
        pull = PullConsumer(self._context.bus, self.arrow.name, self._limit, self._handle)
        await pull.run(self._draining, self.ready)
        if pull.tasks:
            _, late = await asyncio.wait(pull.tasks, timeout=self._context.settings.drain_seconds)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)

    def drain(self) -> None:
        """Stops taking new messages."""
        self._draining.set()

    async def _handle(self, message: Msg) -> None:
        """Handles one message. Raises nothing but cancellation, which hands the message back to the bus."""
        started, arrow = time.perf_counter(), self.arrow.name
        self._context.metrics.in_hand.labels(arrow).inc()
        outcome = "returned"
        try:
            async with _heartbeat(message, self._context.settings.ack_wait_seconds / 3):
                outcome = await self._attempt(message)
        except asyncio.CancelledError:
            with contextlib.suppress(NatsError, OSError):
                await asyncio.shield(message.nak())
            raise
        except (NatsError, OSError, TimeoutError, Retry) as error:
            outcome = "retry"  # the bus was lost, and delivers the message again after the acknowledgement wait
            log.warning("message.bus_lost", arrow=arrow, error=repr(error))
        finally:
            self._context.metrics.in_hand.labels(arrow).dec()
            self._context.metrics.messages.labels(arrow, outcome).inc()
            self._context.metrics.message_seconds.labels(arrow).observe(time.perf_counter() - started)

    async def _attempt(self, message: Msg) -> str:
        delivered = message.metadata.num_delivered or 1
        try:
            ref = parse_ref(message.data)
        except Reject as error:
            await self._give_up(message, pb.Ref(), error)
            return "dead"
        if delivered == 1:
            waited = time.time() - message.metadata.timestamp.timestamp()
            self._context.metrics.wait_seconds.labels(self.arrow.name).observe(max(0.0, waited))
        trace = f"{trace_id(ref.run, ref.name):032x}"
        with (
            structlog.contextvars.bound_contextvars(arrow=self.arrow.name, run=ref.run, name=ref.name, trace=trace),
            self._context.tracing.message_span(self.arrow.name, ref, message.headers) as span,
        ):
            outcome = await self._outcome(message, ref, delivered)
            span.set_attributes({"ucoder.outcome": outcome, "ucoder.attempt": delivered})
            return outcome

    async def _outcome(self, message: Msg, ref: pb.Ref, delivered: int) -> str:
        """Works on the message, tells the bus the result and returns it as the metric's label."""
        attempts = self._context.settings.attempts
        try:
            if delivered > attempts * RETRY_FACTOR:
                raise Reject(f"given up after {delivered - 1} attempts; the worker may have crashed each time.")
            if (await self._context.states.get(ref.run)).state in ("failed", "cancelled"):
                raise Unwanted(f"run {ref.run} has ended.")
            await self._produce(ref)
            await message.ack()
            return "done"
        except Overloaded:
            await message.nak(delay=1)
            return "retry"
        except Retry as error:
            if delivered < attempts * RETRY_FACTOR:
                log.warning("message.retry", attempt=delivered, error=str(error))
                await message.nak(delay=min(60.0, 0.25 * 2**delivered))
                return "retry"
            failure: Exception = error
        except Unwanted:
            await message.ack()
            return "unwanted"
        except Reject as error:
            failure = error
        except Exception as error:  # a bug: logged, retried a few times, and never the end of the worker
            log.exception("message.bug", attempt=delivered)
            if delivered < attempts:
                await message.nak(delay=min(10.0, 0.25 * 2**delivered))
                return "bug"
            failure = error
        await self._give_up(message, ref, failure)
        return "dead"

    async def _produce(self, ref: pb.Ref) -> None:
        """Makes the products, or finds them already made; stores, counts and announces them."""
        if self.arrow.shape == "map" and (existing := await self._existing(ref)):
            if existing.kind in STAGES:
                await self._count(existing)
            await self._context.bus.publish(existing)
            return
        source = await self._context.artifacts.load(ref)
        try:
            product = await self._run(source, await self._run_of(ref.run))
        except grpc.aio.AioRpcError as error:
            raise of_call(error) from error
        if product is None:
            return
        if isinstance(product, Dropped):
            product = self._ending(brief_of(source), product)
        if isinstance(product, AsyncIterator):
            async for artefacts in product:
                await asyncio.gather(*(self._announce(ref.run, artefact) for artefact in artefacts))
                if self._draining.is_set():
                    raise Overloaded("this process ends; another one goes on with the products.")
        else:
            for artefact in [product] if isinstance(product, Message) else product:
                await self._announce(ref.run, artefact)

    async def _existing(self, ref: pb.Ref) -> pb.Ref | None:
        """Returns the Ref of the product that an earlier attempt made, or that of the ending of the brief."""
        made = await self._context.artifacts.find(ref.run, self.arrow.product, ref.name)
        if made or ref.kind not in BRIEF_KINDS:
            return made
        return await self._context.artifacts.find(ref.run, "consensus", ref.name)

    async def _announce(self, run: str, artefact: Message) -> None:
        """Stores a product and announces it.

        A brief's artefact is counted before it is announced, so that the last ending of an iteration finds all of them
        counted. A brief itself is counted afterwards: the briefs that are counted need not be announced again.
        """
        if isinstance(artefact, pb.Consensus):
            self._context.metrics.briefs.labels(pb.Ending.Name(artefact.ending), artefact.reason).inc()
        ref = await self._context.artifacts.save(run, artefact)
        if ref.kind in STAGES and ref.kind != "brief":
            await self._count(ref)
        await self._context.bus.publish(ref)
        if ref.kind == "brief":
            await self._count(ref)

    async def _count(self, ref: pb.Ref) -> None:
        ended = await self._context.artifacts.load(ref) if ref.kind == "consensus" else None
        endings = {ending_key(ended): 1} if isinstance(ended, pb.Consensus) else {}
        await self._context.counts.record(ref.run, ref.name, ref.kind, {MADE: 1, **endings})

    def _ending(self, brief: pb.Brief, dropped: Dropped) -> pb.Consensus:
        """Returns the end of a brief that this stage dropped."""
        reason, detail = dropped.reason, dropped.detail[:2000]
        return pb.Consensus(
            brief=brief, ending=pb.ENDING_DROPPED, stage=self.arrow.service, reason=reason, detail=detail
        )

    async def _run_of(self, run: str) -> pb.Run:
        if run not in self._runs:
            self._runs[run] = await self._context.artifacts.get(pb.Run, run, "000")
        return self._runs[run]

    async def _give_up(self, message: Msg, ref: pb.Ref, error: Exception) -> None:
        """Writes the dead letter, ends the brief or the run of the artefact, and takes the message off the queue."""
        reason = str(error) if isinstance(error, UcoderError) else repr(error)
        log.error("message.dead", reason=reason)
        await self._context.dead_letters.add(self.arrow, ref, reason, "".join(traceback.format_exception(error)))
        if ref.kind in BRIEF_KINDS:
            dropped = Dropped("dead_letter", reason)
            await self._announce(ref.run, self._ending(brief_named(ref.run, ref.name), dropped))
        elif ref.kind:  # empty where the message was no Ref
            with contextlib.suppress(NotFound):
                await self._context.states.end(ref.run, "failed", f"{self.arrow.name} {ref.name}: {reason}")
        await message.term()


@contextlib.asynccontextmanager
async def _heartbeat(message: Msg, every: float) -> AsyncIterator[None]:
    """Tells the server while the block runs that the message is being worked on, so that no other worker gets it."""

    async def beat() -> None:
        while True:
            await asyncio.sleep(every)
            with contextlib.suppress(NatsError, OSError):
                await message.in_progress()

    task = asyncio.create_task(beat())
    try:
        yield
    finally:
        task.cancel()
