"""The bus: one JetStream stream is queue and event log of every arrow; a second keeps what could not be worked on.

Subjects are `ucoder.<kind>.<run>.<name>`, one message each for ever: the server itself refuses a second one, so however
often a worker repeats itself nothing happens twice, and counting subjects counts artefacts.
"""

import asyncio
import json
import time
from collections.abc import Sequence
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

STREAM, DEAD = "UCODER", "UCODER_DEAD"
SUBJECT_TAKEN = 10077  # the server's code for "maximum messages per subject exceeded"
STREAM_DIFFERS = 10058  # and for "stream name already in use with a different configuration"
NO_PEERS = 10005  # "no suitable peers for placement"
UNREACHABLE = (NatsError, TimeoutError, OSError)
log = structlog.get_logger()


class Bus:
    """A connection. Methods raise Retry while the servers cannot be reached; nats reconnects by itself for ever."""

    def __init__(self, client: Client, settings: Settings) -> None:
        self.client = client
        self.jetstream: JetStreamContext = client.jetstream(timeout=10)
        self._counted: dict[tuple[str, str, int], tuple[int, int]] = {}  # the stream's last message, and how many
        self._ack_wait, self.replicas = settings.ack_wait_seconds, settings.nats_replicas

    @classmethod
    async def connect(cls, settings: Settings) -> "Bus":
        """Connects and makes streams and consumers. Misconfigured when nobody answers."""

        last: Exception | None = None

        async def quiet(error: Exception) -> None:
            nonlocal last
            last = error
            log.debug("bus.error", error=repr(error))

        context, client = tls.bus_context(settings), Client()
        credentials, seed = _credentials(settings.nats_credentials)
        try:
            async with asyncio.timeout(settings.nats_wait_seconds):
                await client.connect(
                    settings.nats_url.split(","),
                    user_credentials=None if seed else credentials,
                    nkeys_seed=credentials if seed else None,
                    inbox_prefix=settings.nats_inbox_prefix,
                    tls=context,
                    max_reconnect_attempts=-1,
                    reconnect_time_wait=0.2,  # type: ignore[arg-type]  # it is slept, so a fraction is fine
                    error_cb=quiet,
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
            raise Misconfigured(f"UCODER_NATS_CA is set, and the server at {settings.nats_url} speaks no TLS.")
        bus = cls(client, settings)
        give_up = time.monotonic() + settings.nats_wait_seconds
        while True:
            try:
                await bus._declare()
                return bus
            except UNREACHABLE as error:
                if not _passing(error) or time.monotonic() > give_up:
                    await client.close()
                    raise Misconfigured(f"the bus at {settings.nats_url} takes no streams: {error}.") from None
            await asyncio.sleep(0.5)

    async def _declare(self) -> None:
        """Makes what is missing; every service does, so none has to start first."""
        await self._make(
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
        await self._make(StreamConfig(name=DEAD, subjects=["ucoder-dead.>"], storage=StorageType.FILE))
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

    async def _make(self, config: StreamConfig) -> None:
        """A stream that exists with other replicas stays as it is: `resize` is for somebody with the right to it."""
        try:
            await self.jetstream.add_stream(config, num_replicas=self.replicas)
        except APIError as error:
            if error.err_code != STREAM_DIFFERS:
                raise

    async def resize(self, streams: Sequence[str]) -> None:
        """Gives streams that exist the replicas that the settings name; their messages stay."""
        for name in streams:
            config = (await self.jetstream.stream_info(name)).config
            if config.num_replicas != self.replicas:
                await self.jetstream.update_stream(config, num_replicas=self.replicas)

    async def publish(self, ref: pb.Ref) -> bool:
        """Announces an artefact; False when it was announced before. Retry when the bus did not confirm."""
        try:
            identity = f"{subject(ref)}/{ref.sha256}"
            done = await self.jetstream.publish(
                subject(ref), _body(ref), headers={"Nats-Msg-Id": identity, **trace_headers()}
            )
        except APIError as error:
            if error.err_code == SUBJECT_TAKEN:
                return False
            raise Retry(f"bus: {error.description}.") from error
        except UNREACHABLE as error:
            raise Retry(f"bus: {type(error).__name__} while publishing {ref.kind} {ref.name}.") from error
        return not done.duplicate

    async def requeue(self, ref: pb.Ref) -> None:
        """Puts an artefact before its arrow once more, in place of any message about it that there was."""
        try:
            await self.jetstream.purge_stream(STREAM, subject=subject(ref))
            await self.jetstream.publish(subject(ref), _body(ref))  # no identity: the server would know it again
        except UNREACHABLE as error:
            raise Retry(f"bus: {type(error).__name__} while requeueing {ref.kind} {ref.name}.") from error

    async def count(self, kind: str, run: str, iteration: int | None = None) -> int:
        """How many artefacts of a kind were announced, in a run or in one of its iterations.

        One request, answered by a number: an offset past the end asks the server for the total alone.
        """
        below = f"ucoder.{kind}.{run}.>" if iteration is None else f"ucoder.{kind}.{run}.{iteration:03d}.>"
        return int((await self._info({"subjects_filter": below, "offset": 1 << 40})).get("total", 0))

    async def reached(self, kind: str, run: str, iteration: int, total: int) -> bool:
        """Whether `total` artefacts of a kind were announced in an iteration.

        To count, the server looks at each of them. So it is only asked where all messages since the last count would
        together be enough: whoever asks after the last announcement is always told.
        """
        of = (kind, run, iteration)
        seen, counted = self._counted.get(of, (0, 0))
        last = int((await self._info({}))["state"]["last_seq"])
        if seen <= last < seen + total - counted:
            return False
        self._counted[of] = last, await self.count(kind, run, iteration)
        return self._counted[of][1] >= total

    async def _info(self, asked: dict[str, Any]) -> dict[str, Any]:
        """What the server says of the stream."""
        request = json.dumps(asked).encode()
        try:
            answer = json.loads((await self.client.request(f"$JS.API.STREAM.INFO.{STREAM}", request, timeout=10)).data)
        except UNREACHABLE as error:
            raise Retry(f"bus: {type(error).__name__} while looking at {STREAM}.") from error
        if "error" in answer:
            raise Retry(f"bus: {answer['error'].get('description')}.")
        return answer  # type: ignore[no-any-return]

    async def close(self) -> None:
        """Closes the connection; unacknowledged messages go to others after the acknowledgement wait."""
        if not self.client.is_closed:
            await self.client.close()


def _credentials(path: Path | None) -> tuple[str | None, bool]:
    """Who we are: a file, and whether it holds nothing but the seed of an nkey."""
    if path is None:
        return None, False
    try:
        return str(path), path.read_text().startswith("SU")
    except OSError as error:
        raise Misconfigured(f"UCODER_NATS_CREDENTIALS={path}: {error.strerror}.") from None


def _passing(error: Exception) -> bool:
    """Whether servers that are still finding one another would say this."""
    return not isinstance(error, APIError) or error.code == 503 or error.err_code == NO_PEERS


def subject(ref: pb.Ref) -> str:
    """`ucoder.problem.RUN.001.00042`: an iteration's artefacts share a prefix that a filter can name."""
    return f"ucoder.{ref.kind}.{ref.run}.{ref.name.replace('-', '.')}"


def _body(ref: pb.Ref) -> bytes:
    return json_format.MessageToJson(ref, indent=None, preserving_proto_field_name=True).encode()


def parse(body: bytes) -> pb.Ref:
    """The Ref in a message; Reject when it is none."""
    try:
        ref = json_format.Parse(body, pb.Ref())
    except (json_format.ParseError, UnicodeDecodeError) as error:
        raise Reject(f"message is not a Ref: {error}.") from None
    validate(ref)
    if ref.kind not in KINDS or (ref.kind in BRIEF_KINDS and not BRIEF_NAME.fullmatch(ref.name)):
        raise Reject(f"message names no artefact: {ref.kind} {ref.name}.")
    return ref
