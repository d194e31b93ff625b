"""The state of each run: one key in a JetStream bucket, changed by compare-and-set, so that a run ends only once."""

import contextlib
import json
from dataclasses import asdict, dataclass

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
        return _decode(await self._entry(run))

    async def reopen(self, run: str) -> None:
        """Marks a run as running again, however it ended; raises NotFound when there is no such run."""
        await self.get(run)
        with retry_when_unreachable(f"reopening run {run}"):
            await self._bucket.put(run, _encode(RunState()))

    async def end(self, run: str, state: str, reason: str) -> RunState:
        """Ends a run if it is running; returns the state that it has then."""
        while True:
            entry = await self._entry(run)
            if (current := _decode(entry)).state != "running":
                return current
            ended = RunState(state, reason)
            # where another process ends the run in between, its state is read again
            with retry_when_unreachable(f"ending run {run}"), contextlib.suppress(KeyWrongLastSequenceError):
                await self._bucket.update(run, _encode(ended), last=entry.revision)
                return ended

    async def all(self) -> dict[str, RunState]:
        """Returns the state of every run by its id."""
        try:
            names = await self._bucket.keys()
        except NoKeysError:
            return {}
        return {name: await self.get(name) for name in sorted(names)}

    async def _entry(self, run: str) -> KeyValue.Entry:
        if not NAME.fullmatch(run):  # the bucket would read wildcards in a key
            raise NotFound(f"{run[:80]!r} is not the name of a run.")
        with retry_when_unreachable(f"reading run {run}"):
            try:
                return await self._bucket.get(run)
            except KeyNotFoundError:
                raise NotFound(f"no run {run}; `ucoder runs list` names them.") from None


def _decode(entry: KeyValue.Entry) -> RunState:
    return RunState(**json.loads(entry.value or b"{}"))


def _encode(state: RunState) -> bytes:
    return json.dumps(asdict(state)).encode()
