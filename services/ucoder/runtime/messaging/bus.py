"""The bus: one JetStream stream is the work queue and event log of all arrows; a second one keeps the dead letters.

Subjects are `ucoder.<kind>.<run>.<name>`, and each holds one message for ever: the server refuses a second one. So a
worker that repeats its work causes nothing twice, and the number of subjects is the number of artefacts.
"""

import asyncio
import contextlib
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import structlog
from google.protobuf import json_format
from nats.aio.client import Client
from nats.errors import Error as NatsError
from nats.js import JetStreamContext
from nats.js.api import AckPolicy, ConsumerConfig, DiscardPolicy, StorageType, StreamConfig
from nats.js.errors import APIError

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


class Bus:
    """A connection to the bus. Methods raise Retry while no server can be reached; nats reconnects by itself."""

    def __init__(self, client: Client, settings: Settings) -> None:
        self.client = client
        self.jetstream: JetStreamContext = client.jetstream(timeout=10)
        self._counted: dict[tuple[str, str, int], tuple[int, int]] = {}  # the stream's last number, and the count then
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

    async def publish(self, ref: pb.Ref) -> bool:
        """Announces an artefact; returns False when it was announced before, raises Retry without confirmation."""
        headers = {"Nats-Msg-Id": f"{subject_of(ref)}/{ref.sha256}", **trace_headers()}
        with retry_when_unreachable(f"publishing {ref.kind} {ref.name}"):
            try:
                acknowledgement = await self.jetstream.publish(subject_of(ref), _body(ref), headers=headers)
            except APIError as error:
                if error.err_code == SUBJECT_TAKEN:
                    return False
                raise Retry(f"bus: {error.description}.") from error
        return not acknowledgement.duplicate

    async def requeue(self, ref: pb.Ref) -> None:
        """Announces an artefact again; the new message replaces the old one."""
        with retry_when_unreachable(f"requeueing {ref.kind} {ref.name}"):
            await self.jetstream.purge_stream(STREAM, subject=subject_of(ref))
            # no message id: the server would refuse the message as a duplicate
            await self.jetstream.publish(subject_of(ref), _body(ref))

    async def count(self, kind: str, run: str, iteration: int | None = None) -> int:
        """Returns the number of announced artefacts of a kind, in a run or in one of its iterations.

        One request: an offset past the end asks the server for the total alone.
        """
        below = f"ucoder.{kind}.{run}.>" if iteration is None else f"ucoder.{kind}.{run}.{iteration:03d}.>"
        return int((await self._info({"subjects_filter": below, "offset": 1 << 40})).get("total", 0))

    async def has_published(self, kind: str, run: str, iteration: int, total: int) -> bool:
        """Returns whether `total` artefacts of a kind were announced in an iteration.

        The server counts by looking at each of them. So it is asked only when the messages since the last count could
        be enough; a caller that asks after the last announcement always gets the right answer.
        """
        key = (kind, run, iteration)
        sequence, counted = self._counted.get(key, (0, 0))
        last = int((await self._info({}))["state"]["last_seq"])
        if sequence <= last < sequence + total - counted:
            return False
        self._counted[key] = last, await self.count(kind, run, iteration)
        return self._counted[key][1] >= total

    async def _info(self, query: dict[str, Any]) -> dict[str, Any]:
        """Returns the server's information about the stream."""
        request = json.dumps(query).encode()
        with retry_when_unreachable(f"reading the state of {STREAM}"):
            answer = json.loads((await self.client.request(f"$JS.API.STREAM.INFO.{STREAM}", request, timeout=10)).data)
        if "error" in answer:
            raise Retry(f"bus: {answer['error'].get('description')}.")
        return answer  # type: ignore[no-any-return]

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
