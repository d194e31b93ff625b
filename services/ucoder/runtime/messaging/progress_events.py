"""Progress events between services: plain NATS publish/subscribe, not stored.

The trainer publishes the progress of each training once a second. A new listener knows all trainings within a second,
a training that is silent is forgotten after a while, and a lost message does no harm.
"""

import time

import structlog
from google.protobuf.message import DecodeError
from nats.aio.msg import Msg

from ucoder.flow import PROGRESS_EVENTS
from ucoder.runtime.messaging.bus import UNREACHABLE, Bus
from ucoder.v1 import trainer_pb2

SILENT_SECONDS = 10.0
"""A training without an event for so long is no longer shown."""
_SUBJECT = next(event.subject for event in PROGRESS_EVENTS if event.topic == "training")
log = structlog.get_logger()


class TrainingsInProgress:
    """The trainings that were heard of within the last seconds."""

    def __init__(self) -> None:
        self._latest: dict[tuple[str, str], tuple[float, trainer_pb2.TrainingProgress]] = {}

    @classmethod
    async def listen(cls, bus: Bus) -> "TrainingsInProgress":
        """Returns the listener; it listens as long as the bus is connected."""
        trainings = cls()
        await bus.client.subscribe(f"{_SUBJECT}.>", cb=trainings._receive)
        return trainings

    def of_run(self, run: str) -> list[trainer_pb2.TrainingProgress]:
        """Returns the progress of a run's trainings, ordered by the names of their datasets."""
        now = time.monotonic()
        return [
            progress for (of, _), (heard, progress) in sorted(self._latest.items(), key=lambda item: item[0])
            if of == run and now - heard < SILENT_SECONDS
        ]  # fmt: skip

    async def _receive(self, message: Msg) -> None:
        *_, run, dataset = message.subject.split(".")
        now = time.monotonic()
        self._latest = {key: entry for key, entry in self._latest.items() if now - entry[0] < SILENT_SECONDS}
        self._latest.pop((run, dataset), None)
        try:
            if message.data:
                self._latest[run, dataset] = now, trainer_pb2.TrainingProgress.FromString(message.data)
        except DecodeError:
            log.warning("progress_event.unreadable", subject=message.subject)


async def publish_training_progress(
    bus: Bus, run: str, dataset: str, progress: trainer_pb2.TrainingProgress | None
) -> None:
    """Publishes the progress of a training; None says that it has ended. While the bus is away, nothing is sent."""
    try:
        await bus.client.publish(f"{_SUBJECT}.{run}.{dataset}", progress.SerializeToString() if progress else b"")
    except UNREACHABLE as error:
        log.debug("progress_event.not_sent", error=repr(error))
