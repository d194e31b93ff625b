"""The state of each run: one key in a JetStream bucket, changed by compare-and-set, so that a run ends only once."""

import asyncio
import contextlib
import json
from dataclasses import asdict, dataclass, replace

from nats.js.errors import BucketNotFoundError, KeyNotFoundError, KeyWrongLastSequenceError, NoKeysError
from nats.js.kv import KeyValue

from ucoder.errors import NotFound
from ucoder.runtime.messaging.bus import Bus, retry_when_unreachable
from ucoder.runtime.storage.artifacts import NAME

BUCKET = "ucoder-runs"


@dataclass(frozen=True, slots=True)
class RunState:
    """The state: `running`, `succeeded`, `failed` or `cancelled`, with a reason for people."""

    state: str = "running"
    reason: str = ""


class RunStates:
    """The states of all runs."""

    def __init__(self, bucket: KeyValue) -> None:
        self._bucket = bucket

    @classmethod
    async def open(cls, bus: Bus) -> "RunStates":
        """Opens the bucket; makes it when it is missing."""
        try:
            bucket = await bus.jetstream.key_value(BUCKET)
        except BucketNotFoundError:
            bucket = await bus.jetstream.create_key_value(bucket=BUCKET, replicas=bus.replicas)
        return cls(bucket)

    async def begin(self, run: str) -> None:
        """Marks a run as running unless it has a state."""
        with retry_when_unreachable(f"starting run {run}"), contextlib.suppress(KeyWrongLastSequenceError):
            await self._bucket.create(run, _encode(RunState()))

    async def get(self, run: str) -> RunState:
        """Returns the state of a run; raises NotFound when there is no such run."""
        if not NAME.fullmatch(run):  # the bucket would read wildcards in a key
            raise NotFound(f"{run[:80]!r} is not the name of a run.")
        with retry_when_unreachable(f"reading run {run}"):
            try:
                return _decode(await self._bucket.get(run))
            except KeyNotFoundError:
                raise NotFound(f"no run {run}; `ucoder runs list` names them.") from None

    async def reopen(self, run: str) -> None:
        """Marks a run as running again, however it ended; raises NotFound when there is no such run."""
        await self.get(run)
        with retry_when_unreachable(f"reopening run {run}"):
            await self._bucket.put(run, _encode(RunState()))

    async def end(self, run: str, state: str, reason: str) -> RunState:
        """Ends a run if it is running; returns the state that it has then."""
        while True:
            current = await self.get(run)
            if current.state != "running":
                return current
            with retry_when_unreachable(f"ending run {run}"):
                try:
                    entry = await self._bucket.get(run)
                    if _decode(entry) == current:
                        ended = replace(current, state=state, reason=reason)
                        await self._bucket.update(run, _encode(ended), last=entry.revision)
                        return ended
                except KeyWrongLastSequenceError:
                    await asyncio.sleep(0)  # another process ended it in between: read it again

    async def all(self) -> dict[str, RunState]:
        """Returns the state of every run by its id."""
        try:
            names = await self._bucket.keys()
        except NoKeysError:
            return {}
        return {name: await self.get(name) for name in sorted(names)}


def _decode(entry: KeyValue.Entry) -> RunState:
    return RunState(**json.loads(entry.value or b"{}"))


def _encode(state: RunState) -> bytes:
    return json.dumps(asdict(state)).encode()
