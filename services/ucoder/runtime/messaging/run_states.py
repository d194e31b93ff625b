"""The state of each run: one key in a JetStream bucket, changed by compare-and-set, so that a run ends only once."""

import asyncio
import json
from dataclasses import asdict, dataclass, replace

from nats.js.errors import BucketNotFoundError, KeyNotFoundError, KeyWrongLastSequenceError, NoKeysError
from nats.js.kv import KeyValue

from ucoder.errors import NotFound, Retry
from ucoder.runtime.messaging.bus import UNREACHABLE, Bus
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
        try:
            await self._bucket.create(run, _encode(RunState()))
        except KeyWrongLastSequenceError:
            return
        except UNREACHABLE as error:
            raise Retry(f"bus: {type(error).__name__} while starting run {run}.") from error

    async def get(self, run: str) -> RunState:
        """Returns the state of a run; raises NotFound when there is no such run."""
        if not NAME.fullmatch(run):  # the bucket would read wildcards in a key
            raise NotFound(f"{run[:80]!r} is not the name of a run.")
        try:
            entry = await self._bucket.get(run)
        except KeyNotFoundError:
            raise NotFound(f"no run {run}; `ucoder runs list` names them.") from None
        except UNREACHABLE as error:
            raise Retry(f"bus: {type(error).__name__} while reading run {run}.") from error
        return RunState(**json.loads(entry.value or b"{}"))

    async def reopen(self, run: str) -> None:
        """Marks a run as running again, however it ended; raises NotFound when there is no such run."""
        await self.get(run)
        try:
            await self._bucket.put(run, _encode(RunState()))
        except UNREACHABLE as error:
            raise Retry(f"bus: {type(error).__name__} while reopening run {run}.") from error

    async def end(self, run: str, state: str, reason: str) -> RunState:
        """Ends a run if it is running; returns the state that it has then."""
        while True:
            current = await self.get(run)
            if current.state != "running":
                return current
            try:
                entry = await self._bucket.get(run)
                if RunState(**json.loads(entry.value or b"{}")) == current:
                    ended = replace(current, state=state, reason=reason)
                    await self._bucket.update(run, _encode(ended), last=entry.revision)
                    return ended
            except KeyWrongLastSequenceError:
                await asyncio.sleep(0)  # another process ended it in between: read it again
            except UNREACHABLE as error:
                raise Retry(f"bus: {type(error).__name__} while ending run {run}.") from error

    async def all(self) -> dict[str, RunState]:
        """Returns the state of every run by its id."""
        try:
            names = await self._bucket.keys()
        except NoKeysError:
            return {}
        return {name: await self.get(name) for name in sorted(names)}


def _encode(state: RunState) -> bytes:
    return json.dumps(asdict(state)).encode()
