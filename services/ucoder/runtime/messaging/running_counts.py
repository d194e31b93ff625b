"""The running counts of an iteration: how many briefs reached each stage, how they ended, and what they spent.

Each stage of an iteration has one value for every 65,536 briefs: the sums, and one bit for each brief that is part of
them. The bit makes a repeated record count once. So a count costs one short read at any number of briefs, and the bus
keeps a few bytes per thousand briefs. A value is changed by compare-and-set; the records that a process makes at the
same time share one change.
"""

import asyncio
import contextlib
import json
import random
import time
from collections import Counter, OrderedDict, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from nats.aio.msg import Msg
from nats.js.errors import BucketNotFoundError, KeyNotFoundError, KeyWrongLastSequenceError, NotFoundError
from nats.js.kv import KeyValue

from ucoder.errors import Retry
from ucoder.runtime.messaging.bus import Bus, retry_when_unreachable
from ucoder.runtime.messaging.count_chunks import CHUNK, GRANTS, MADE, STAGES, Briefs, Chunk

COUNTS_BUCKET = "ucoder-counts"
LOOK_SECONDS = 5.0
"""The longest time between two looks at the endings of an iteration, in a process that is asked for them."""
_KEPT_CHUNKS = 64
_ATTEMPTS = 200


@dataclass(frozen=True, slots=True)
class _Record:
    what: str
    place: int
    amounts: Mapping[str, int]
    done: asyncio.Future[None]


class RunningCounts:
    """The counts of all runs, as the bus holds them."""

    def __init__(self, bus: Bus, bucket: KeyValue) -> None:
        self._bus, self._bucket = bus, bucket
        self._waiting: defaultdict[str, list[_Record]] = defaultdict(list)
        self._writers: dict[str, asyncio.Task[None]] = {}
        self._chunks: OrderedDict[str, tuple[Chunk, int]] = OrderedDict()  # with the revision of the key
        self._seen: dict[
            tuple[str, int], tuple[int, int, float]
        ] = {}  # the bus' last number, the endings then, the time

    @classmethod
    async def open(cls, bus: Bus) -> "RunningCounts":
        """Opens the bucket; makes it when it is missing."""
        with retry_when_unreachable(f"opening {COUNTS_BUCKET}"):
            try:
                bucket = await bus.jetstream.key_value(COUNTS_BUCKET)
            except BucketNotFoundError:
                bucket = await bus.jetstream.create_key_value(
                    bucket=COUNTS_BUCKET, replicas=bus.replicas, direct=True, history=1
                )
        return cls(bus, bucket)

    async def record(self, run: str, name: str, stage: str, amounts: Mapping[str, int], what: str = MADE) -> None:
        """Adds a brief's artefact, or what its stage spent, once. `name` is that of the brief: `001-000042`."""
        iteration, number = name.split("-")
        key = f"{run}.{iteration}.{stage}.{int(number) // CHUNK}"
        done = asyncio.get_running_loop().create_future()
        self._waiting[key].append(_Record(what, int(number) % CHUNK, amounts, done))
        if key not in self._writers:
            self._writers[key] = asyncio.create_task(self._write(key))
        await done

    async def _write(self, key: str) -> None:
        """Writes the waiting records of a key until there are none; a failure is raised to those that wait for it."""
        try:
            while batch := self._waiting.pop(key, []):
                failure: Exception | None = None
                try:
                    with retry_when_unreachable(f"counting {key}"):
                        await self._change(key, batch)
                except Exception as error:  # a bug too belongs to those that wait
                    failure = error
                for record in (record for record in batch if not record.done.done()):
                    record.done.set_exception(failure) if failure else record.done.set_result(None)
        finally:
            del self._writers[key]

    async def _change(self, key: str, batch: Iterable[_Record]) -> None:
        for attempt in range(_ATTEMPTS):
            chunk, revision = self._chunks.pop(key) if key in self._chunks else await self._stored(key)
            if sum(chunk.add(record.what, record.place, record.amounts) for record in batch):
                try:
                    revision = await self._bucket.update(key, chunk.encode(), last=revision)
                except KeyWrongLastSequenceError:  # another process was faster: read its value and add to that
                    await asyncio.sleep(random.uniform(0, min(0.2, 0.002 * 2 ** min(attempt, 10))))
                    continue
            self._chunks[key] = chunk, revision
            if len(self._chunks) > _KEPT_CHUNKS:
                self._chunks.popitem(last=False)
            return
        raise Retry(f"bus: {key} was changed by others {_ATTEMPTS} times while counting.")

    async def _stored(self, key: str) -> tuple[Chunk, int]:
        try:
            entry = await self._bucket.get(key)
        except KeyNotFoundError:
            return Chunk(), 0
        return Chunk.decode(entry.value or b""), entry.revision or 0

    async def sums(self, run: str, iteration: int, stage: str) -> Counter[str]:
        """Returns the sums of one stage of an iteration: `made`, the endings of `consensus`, and what was spent."""
        total: Counter[str] = Counter()
        for data in (await self._values(f"{run}.{iteration:03d}.{stage}.*")).values():
            total.update(Chunk.decode(data).sums)
        return total

    async def of_iteration(self, run: str, iteration: int) -> dict[str, Counter[str]]:
        """Returns the sums of every stage of an iteration."""
        sums = await asyncio.gather(*(self.sums(run, iteration, stage) for stage in STAGES))
        return dict(zip(STAGES, sums, strict=True))

    async def made(self, run: str, iteration: int, stage: str) -> "Briefs":
        """Returns the briefs of an iteration that have the artefact of a stage."""
        values = await self._values(f"{run}.{iteration:03d}.{stage}.*")
        return Briefs(
            {int(key.rsplit(".", 1)[-1]): bytes(Chunk.decode(data).bits.get(MADE, b"")) for key, data in values.items()}
        )

    async def note(self, key: str, value: bytes) -> None:
        """Writes a short note that other processes of the service read; an empty one removes it."""
        with retry_when_unreachable(f"writing {key}"):
            if value:
                await self._bucket.put(key, value)
            else:
                await self._bus.jetstream.purge_stream(f"KV_{COUNTS_BUCKET}", subject=f"$KV.{COUNTS_BUCKET}.{key}")

    async def notes(self, keys: str) -> dict[str, bytes]:
        """Returns the notes whose keys match a pattern."""
        return await self._values(keys)

    async def take(self, run: str, iteration: int, size: int, available: int) -> bool:
        """Takes one more grant of `size` out of `available`; returns False when less than that is left."""
        key = f"{run}.{iteration:03d}.{GRANTS}.0"
        with retry_when_unreachable(f"granting programs in {run}"):
            while True:
                chunk, revision = await self._stored(key)
                if (chunk.sums[GRANTS] + 1) * size > available:
                    return False
                chunk.sums[GRANTS] += 1
                with contextlib.suppress(KeyWrongLastSequenceError):
                    await self._bucket.update(key, chunk.encode(), last=revision)
                    return True
                await asyncio.sleep(random.uniform(0, 0.02))

    async def all_ended(self, run: str, iteration: int, total: int) -> bool:
        """Returns whether `total` briefs of an iteration have ended.

        An ending is counted before it is announced. So the counts are read only when the announcements since the last
        look could be enough, or when that look was a while ago, because endings that are counted again from the store
        are not announced. A caller that asks after the last announcement gets the right answer.
        """
        sequence, ended, looked = self._seen.get((run, iteration), (0, 0, 0.0))
        last, now = await self._bus.last_sequence(), time.monotonic()
        if sequence <= last < sequence + total - ended and now < looked + LOOK_SECONDS:
            return False
        ended = 0
        for number in range(-(-total // CHUNK)):
            with retry_when_unreachable(f"counting the endings of {run}"), contextlib.suppress(NotFoundError):
                # The leader answers: another replica, which `_values` may read from, can be a moment behind.
                subject = f"$KV.{COUNTS_BUCKET}.{run}.{iteration:03d}.consensus.{number}"
                stored = await self._bus.jetstream.get_msg(f"KV_{COUNTS_BUCKET}", subject=subject)
                ended += Chunk.decode(stored.data or b"").sums[MADE]
        self._seen[run, iteration] = last, ended, now
        return ended >= total

    async def snapshot(self, run: str, iteration: int) -> dict[str, bytes]:
        """Returns the values of an iteration by `<stage>.<number of the chunk>`."""
        values = await self._values(f"{run}.{iteration:03d}.>")
        return {key.split(".", 2)[2]: data for key, data in values.items()}

    async def restore(self, run: str, iteration: int, values: Mapping[str, bytes]) -> None:
        """Writes the values of a snapshot where the bus has none."""
        with retry_when_unreachable(f"restoring the counts of {run}"):
            for key, data in values.items():
                with contextlib.suppress(KeyWrongLastSequenceError):
                    await self._bucket.create(f"{run}.{iteration:03d}.{key}", data)

    async def forget(self, run: str, iteration: int | None = None) -> None:
        """Removes the counts of an iteration, or of a whole run, from the bus."""
        below = f"{run}.>" if iteration is None else f"{run}.{iteration:03d}.>"
        with retry_when_unreachable(f"removing the counts of {run}"):
            await self._bus.jetstream.purge_stream(f"KV_{COUNTS_BUCKET}", subject=f"$KV.{COUNTS_BUCKET}.{below}")
        for key in [key for key in self._chunks if key.startswith(below.removesuffix(">"))]:
            del self._chunks[key]

    async def _values(self, keys: str) -> dict[str, bytes]:
        """Returns the values of all keys that a pattern matches, by one request (NATS 2.11 or newer)."""
        client, prefix = self._bus.client, f"$KV.{COUNTS_BUCKET}."
        values: dict[str, bytes] = {}
        ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()

        async def receive(message: Msg) -> None:
            headers = message.headers or {}
            if subject := headers.get("Nats-Subject", "").removeprefix(prefix) if message.data else "":
                if "KV-Operation" not in headers:
                    values[subject] = message.data
            elif not ended.done():
                ended.set_result(None)  # 204 after the last value, 404 where there is none

        inbox = client.new_inbox()
        with retry_when_unreachable(f"reading the counts of {keys}"):
            subscription = await client.subscribe(inbox, cb=receive)
            try:
                request = json.dumps({"multi_last": [prefix + keys], "batch": 1024}).encode()
                await client.publish(f"$JS.API.DIRECT.GET.KV_{COUNTS_BUCKET}", request, reply=inbox)
                await asyncio.wait_for(ended, 10)
            finally:
                await subscription.unsubscribe()
        return values
