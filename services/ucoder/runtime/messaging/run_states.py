"""The state of each run: one key in a JetStream bucket, changed by compare-and-set, so that a run ends only once."""

import contextlib
import json
import time
from dataclasses import asdict, dataclass, field

from nats.js.errors import BucketNotFoundError, KeyNotFoundError, KeyWrongLastSequenceError, NoKeysError
from nats.js.kv import KeyValue

from ucoder.errors import Conflict, NotFound
from ucoder.runtime.messaging.bus import Bus, retry_when_unreachable
from ucoder.runtime.storage.artifacts import NAME

BUCKET = "ucoder-runs"
ENDED = frozenset({"succeeded", "failed", "cancelled"})
DELETING = "deleting"


@dataclass(frozen=True, slots=True)
class RunState:
    """The state: `running`, `succeeded`, `failed`, `cancelled` or `deleting`, with a reason for people."""

    state: str = "running"
    reason: str = ""
    seconds: float = field(default=0.0, compare=False)
    """When the run got this state, since the epoch; 0 where an older version wrote it."""


class RunStates:
    """The states of all runs."""

    def __init__(self, bus: Bus, bucket: KeyValue) -> None:
        self._bus, self._bucket = bus, bucket

    @classmethod
    async def open(cls, bus: Bus) -> "RunStates":
        """Opens the bucket; makes it when it is missing."""
        try:
            bucket = await bus.jetstream.key_value(BUCKET)
        except BucketNotFoundError:
            bucket = await bus.jetstream.create_key_value(bucket=BUCKET, replicas=bus.replicas)
        return cls(bus, bucket)

    async def begin(self, run: str) -> None:
        """Marks a run as running unless it has a state."""
        with retry_when_unreachable(f"starting run {run}"), contextlib.suppress(KeyWrongLastSequenceError):
            await self._bucket.create(run, _encode(RunState()))

    async def get(self, run: str) -> RunState:
        """Returns the state of a run; raises NotFound when there is no such run."""
        return _decode(await self._entry(run))

    async def reopen(self, run: str) -> None:
        """Marks a run as running again, however it ended; raises NotFound when there is no such run."""
        if (await self._change(run, RunState())).state == DELETING:
            raise Conflict(f"run {run} is being deleted.")

    async def end(self, run: str, state: str, reason: str) -> RunState:
        """Ends a run if it is running; returns the state that it has then."""
        return await self._change(run, RunState(state, reason))

    async def mark_deleting(self, run: str) -> None:
        """Marks a run that is to be removed, which nobody can resume; raises Conflict while it is running."""
        if (await self._change(run, RunState(DELETING))).state == "running":
            raise Conflict(f"run {run} is running; cancel it first.")

    async def remove(self, run: str) -> None:
        """Forgets a run."""
        with retry_when_unreachable(f"forgetting run {run}"):
            await self._bus.jetstream.purge_stream(f"KV_{BUCKET}", subject=f"$KV.{BUCKET}.{run}")

    async def _change(self, run: str, new: RunState) -> RunState:
        """Gives a run a new state if it may follow on the present one; returns the state that the run has then.

        A running run may end, an ended one may run again or be deleted, and a deleted one stays so.
        """
        while True:
            entry = await self._entry(run)
            current = _decode(entry)
            if current.state not in (ENDED if new.state in ("running", DELETING) else {"running"}):
                return current
            # where another process changes the state in between, it is read again
            with retry_when_unreachable(f"changing run {run}"), contextlib.suppress(KeyWrongLastSequenceError):
                await self._bucket.update(run, _encode(new), last=entry.revision)
                return new

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
    return json.dumps(asdict(state) | {"seconds": time.time()}).encode()
