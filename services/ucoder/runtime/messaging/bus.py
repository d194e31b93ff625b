"""The bus: one JetStream stream is the work queue of all arrows; a second one keeps the dead letters.

Subjects are `ucoder.<kind>.<run>.<name>`. Each holds one message until its arrow has acknowledged it, and the server
refuses a second one. So the bus is as large as the work under way. A message that arrives again later causes nothing
twice, because the store's keys are created once: a stage finds the product that it has made before.
"""

import asyncio
import contextlib
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import structlog
from google.protobuf import json_format
from nats.aio.client import Client
from nats.errors import Error as NatsError
from nats.js import JetStreamContext
from nats.js.api import AckPolicy, ConsumerConfig, DiscardPolicy, RetentionPolicy, StorageType, StreamConfig
from nats.js.errors import APIError, NotFoundError

from ucoder.errors import Misconfigured, Reject, Retry
from ucoder.flow import BRIEF_KINDS, FLOW, KINDS
from ucoder.runtime import tls
from ucoder.runtime.settings import Settings
from ucoder.runtime.storage.artifacts import BRIEF_NAME
from ucoder.runtime.tracing import trace_headers
from ucoder.runtime.validation import validate
from ucoder.v1 import artifacts_pb2 as pb

STREAM, DEAD_STREAM = "UCODER", "UCODER_DEAD"
SUBJECT_TAKEN = 10077  # the server's code for "maximum messages per subject exceeded"
STREAM_DIFFERS = 10058  # for "stream name already in use with a different configuration"
NO_PEERS = 10005  # for "no suitable peers for placement"
UNREACHABLE = (NatsError, TimeoutError, OSError)
log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Queue:
    """The messages of one arrow: those that wait, those that are worked on, and those of them that came again."""

    waiting: int
    working: int
    redelivered: int


class Bus:
    """A connection to the bus. Methods raise Retry while no server can be reached; nats reconnects by itself."""

    def __init__(self, client: Client, settings: Settings) -> None:
        self.client = client
        self.jetstream: JetStreamContext = client.jetstream(timeout=10)
        self._ack_wait, self.replicas = settings.ack_wait_seconds, settings.nats_replicas

    @classmethod
    async def connect(cls, settings: Settings) -> "Bus":
        """Connects, and makes streams and consumers; raises Misconfigured when no server answers or it refuses them."""
        last: Exception | None = None

        async def remember(error: Exception) -> None:
            nonlocal last
            last = error
            log.debug("bus.error", error=repr(error))

        context, client = tls.bus_context(settings), Client()
        credentials = _credentials(settings.nats_credentials)
        try:
            async with asyncio.timeout(settings.nats_wait_seconds):
                await client.connect(
                    settings.nats_url.split(","),
                    **credentials,
                    inbox_prefix=settings.nats_inbox_prefix,
                    tls=context,
                    max_reconnect_attempts=-1,
                    reconnect_time_wait=0.2,  # type: ignore[arg-type]  # nats passes it to sleep, so a fraction works
                    error_cb=remember,
                    ping_interval=10,
                )
        except UNREACHABLE as error:
            await client.close()
            raise Misconfigured(
                f"no NATS server answers at {settings.nats_url} ({last or type(error).__name__}): start one with "
                "`nats-server -js` or set UCODER_NATS_URL."
            ) from None
        if context and not client._server_info.get("tls_required"):
            await client.close()
            raise Misconfigured(
                f"UCODER_NATS_CA is set, but the server at {settings.nats_url} speaks no TLS: unset it or turn TLS on."
            )
        bus = cls(client, settings)
        give_up = time.monotonic() + settings.nats_wait_seconds
        while True:
            try:
                await bus._declare()
                return bus
            except UNREACHABLE as error:
                if not _is_temporary(error) or time.monotonic() > give_up:
                    await client.close()
                    raise Misconfigured(f"the bus at {settings.nats_url} accepts no streams: {error}.") from None
            await asyncio.sleep(0.5)

    async def _declare(self) -> None:
        """Makes missing streams and consumers. Every service does, so none has to start first."""
        await self._add_stream(
            StreamConfig(
                name=STREAM,
                subjects=["ucoder.>"],
                storage=StorageType.FILE,
                retention=RetentionPolicy.INTEREST,  # a message goes when its arrow has acknowledged it
                discard=DiscardPolicy.NEW,
                discard_new_per_subject=True,
                max_msgs_per_subject=1,
                allow_direct=True,
            )
        )
        await self._add_stream(StreamConfig(name=DEAD_STREAM, subjects=["ucoder-dead.>"], storage=StorageType.FILE))
        for arrow in FLOW:
            await self.jetstream.add_consumer(
                STREAM,
                ConsumerConfig(
                    durable_name=arrow.name,
                    filter_subject=f"ucoder.{arrow.source}.>",
                    ack_policy=AckPolicy.EXPLICIT,
                    ack_wait=self._ack_wait,
                    max_deliver=-1,  # the worker counts attempts: it also ends the brief and writes the dead letter
                    max_ack_pending=10_000,
                ),
            )

    async def _add_stream(self, config: StreamConfig) -> None:
        """Makes a stream. An existing one keeps its replicas: only `declare.py` of the chart may change them."""
        try:
            await self.jetstream.add_stream(config, num_replicas=self.replicas)
        except APIError as error:
            if error.err_code != STREAM_DIFFERS:
                raise

    async def drop_acknowledged(self) -> None:
        """Changes a stream of an older version, which kept every message for ever; takes the right to update it."""
        with retry_when_unreachable(f"updating {STREAM}"):
            config = (await self.jetstream.stream_info(STREAM)).config
            if config.retention != RetentionPolicy.INTEREST:
                await self.jetstream.update_stream(config, retention=RetentionPolicy.INTEREST)

    async def publish(self, ref: pb.Ref) -> bool:
        """Announces an artefact; returns False when it was announced before, raises Retry without confirmation."""
        headers = {"Nats-Msg-Id": f"{subject_of(ref)}/{ref.sha256}", **trace_headers()}
        with retry_when_unreachable(f"publishing {ref.kind} {ref.name}"):
            return await self._send(ref, headers)

    async def requeue(self, ref: pb.Ref) -> bool:
        """Announces an artefact again; returns False when its message is still on the queue."""
        with retry_when_unreachable(f"requeueing {ref.kind} {ref.name}"):
            return await self._send(ref, None)  # the server would refuse a message id that it knows

    async def _send(self, ref: pb.Ref, headers: dict[str, str] | None) -> bool:
        try:
            acknowledgement = await self.jetstream.publish(subject_of(ref), _body(ref), headers=headers)
        except APIError as error:
            if error.err_code == SUBJECT_TAKEN:
                return False
            raise Retry(f"bus: {error.description}.") from error
        return not acknowledgement.duplicate

    async def queue(self, consumer: str) -> Queue:
        """Returns how long the queue of an arrow is."""
        with retry_when_unreachable(f"reading the queue of {consumer}"):
            info = await self.jetstream.consumer_info(STREAM, consumer)
        return Queue(info.num_pending or 0, info.num_ack_pending or 0, info.num_redelivered or 0)

    async def oldest(self, kind: str) -> float:
        """Returns when the oldest message about artefacts of a kind was published; 0 where there is none."""
        with retry_when_unreachable(f"looking for the oldest {kind}"), contextlib.suppress(NotFoundError):
            message = await self.jetstream.get_msg(STREAM, 1, f"ucoder.{kind}.>", next=True)
            return message.time.timestamp() if message.time else 0.0
        return 0.0

    async def storage(self) -> tuple[int, int]:
        """Returns how many bytes the account of the bus stores, and how many it may store; 0 for no limit."""
        with retry_when_unreachable("reading the storage of the bus"):
            account = await self.jetstream.account_info()
        return account.storage, max(0, account.limits.max_storage)

    async def has_messages(self, run: str) -> bool:
        """Returns whether a message of a run waits or is worked on."""
        with retry_when_unreachable(f"looking for messages of {run}"), contextlib.suppress(NotFoundError):
            await self.jetstream.get_msg(STREAM, 1, f"ucoder.*.{run}.>", next=True)
            return True
        return False

    async def purge(self, run: str) -> None:
        """Removes all messages of a run."""
        with retry_when_unreachable(f"removing the messages of {run}"):
            await self.jetstream.purge_stream(STREAM, subject=f"ucoder.*.{run}.>")

    async def last_sequence(self) -> int:
        """Returns the number of the last message that the stream got."""
        with retry_when_unreachable(f"reading the state of {STREAM}"):
            return int((await self.jetstream.stream_info(STREAM)).state.last_seq)

    async def close(self) -> None:
        """Closes the connection. The server gives unacknowledged messages to others after the acknowledgement wait."""
        if not self.client.is_closed:
            await self.client.close()


@contextlib.contextmanager
def retry_when_unreachable(action: str) -> Iterator[None]:
    """Raises Retry in place of any error of a bus that cannot be reached."""
    try:
        yield
    except UNREACHABLE as error:
        raise Retry(f"bus: {type(error).__name__} while {action}.") from error


def _credentials(path: Path | None) -> dict[str, Any]:
    """Returns the argument of nats' `connect` for a file with nothing but an nkey's seed, or with a user's JWT."""
    if path is None:
        return {}
    try:
        return {"nkeys_seed" if path.read_text().startswith("SU") else "user_credentials": str(path)}
    except OSError as error:
        raise Misconfigured(f"UCODER_NATS_CREDENTIALS={path}: {error.strerror}.") from None


def _is_temporary(error: Exception) -> bool:
    """Returns whether the servers of a cluster answer so while they still connect to one another."""
    return not isinstance(error, APIError) or error.code == 503 or error.err_code == NO_PEERS


def subject_of(ref: pb.Ref) -> str:
    """Returns `ucoder.problem.RUN.001.00042`: a filter can name the prefix that an iteration's artefacts share."""
    return f"ucoder.{ref.kind}.{ref.run}.{ref.name.replace('-', '.')}"


def _body(ref: pb.Ref) -> bytes:
    return json_format.MessageToJson(ref, indent=None, preserving_proto_field_name=True).encode()


def parse_ref(body: bytes) -> pb.Ref:
    """Returns the Ref in a message; raises Reject when there is none."""
    try:
        ref = json_format.Parse(body, pb.Ref())
    except (json_format.ParseError, UnicodeDecodeError) as error:
        raise Reject(f"message is not a Ref: {error}.") from None
    validate(ref)
    if ref.kind not in KINDS or (ref.kind in BRIEF_KINDS and not BRIEF_NAME.fullmatch(ref.name)):
        raise Reject(f"message names no artefact: {ref.kind} {ref.name}.")
    return ref
