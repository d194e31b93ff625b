"""The dead letters: messages that failed permanently, with reason and traceback. People list, retry or drop them."""

import contextlib
import json
import time
from dataclasses import asdict, dataclass

from nats.js.errors import NotFoundError

from ucoder.errors import NotFound
from ucoder.flow import Arrow
from ucoder.runtime.messaging.bus import DEAD_STREAM, Bus, retry_when_unreachable, subject_of
from ucoder.v1 import artifacts_pb2 as pb


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """One message that an arrow gave up; `sequence` is its number in the stream of dead letters."""

    arrow: str
    kind: str
    run: str
    name: str
    sha256: str
    reason: str
    trace: str
    seconds: float  # since the epoch
    sequence: int = 0


class DeadLetters:
    """The stream of dead letters."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus

    async def add(self, arrow: Arrow, ref: pb.Ref, reason: str, trace: str) -> None:
        """Writes a dead letter; raises Retry when the bus does not confirm."""
        letter = DeadLetter(
            arrow.name, ref.kind, ref.run, ref.name, ref.sha256, reason[:4000], trace[-20_000:], time.time()
        )
        with retry_when_unreachable("writing a dead letter"):
            await self._bus.jetstream.publish(
                f"ucoder-dead.{arrow.name}.{ref.run or 'none'}",
                json.dumps(asdict(letter)).encode(),
                headers={"Nats-Msg-Id": f"{arrow.name}/{subject_of(ref)}/{ref.sha256 or time.time_ns()}"},
            )

    async def count(self) -> int:
        """Returns how many dead letters there are."""
        with retry_when_unreachable("counting dead letters"):
            return int((await self._bus.jetstream.stream_info(DEAD_STREAM)).state.messages)

    async def all(self) -> list[DeadLetter]:
        """Returns all dead letters, the oldest first."""
        info = await self._bus.jetstream.stream_info(DEAD_STREAM)
        letters = []
        for sequence in range(max(1, info.state.first_seq), info.state.last_seq + 1):
            with contextlib.suppress(NotFound):  # it was dropped
                letters.append(await self.get(sequence))
        return letters

    async def get(self, sequence: int) -> DeadLetter:
        """Returns one dead letter; raises NotFound when there is none of that number."""
        try:
            message = await self._bus.jetstream.get_msg(DEAD_STREAM, sequence)
        except NotFoundError:
            raise NotFound(f"no dead letter {sequence}; `ucoder dead list` shows them.") from None
        return DeadLetter(**{**json.loads(message.data or b"{}"), "sequence": sequence})

    async def drop(self, sequence: int) -> None:
        """Removes a dead letter; raises NotFound when there is none of that number."""
        await self.get(sequence)
        await self._bus.jetstream.delete_msg(DEAD_STREAM, sequence)

    async def purge(self, run: str) -> None:
        """Removes all dead letters of a run."""
        with retry_when_unreachable(f"removing the dead letters of {run}"):
            await self._bus.jetstream.purge_stream(DEAD_STREAM, subject=f"ucoder-dead.*.{run}")

    async def retry(self, sequence: int) -> None:
        """Announces the artefact again, so that its arrow gets the message once more, and removes the dead letter."""
        letter = await self.get(sequence)
        ref = pb.Ref(kind=letter.kind, run=letter.run, name=letter.name, sha256=letter.sha256)
        await self._bus.requeue(ref)
        await self.drop(sequence)
