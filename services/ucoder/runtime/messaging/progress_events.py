"""News: what passes between services and is worth nothing later. Plain NATS messages that no stream keeps.

How far a training is, once a second. Who starts to listen knows within a second; what is not heard any more is
forgotten; a lost message costs nothing.
"""

import time

import structlog
from google.protobuf.message import DecodeError
from nats.aio.msg import Msg

from ucoder.flow import NEWS
from ucoder.runtime.messaging.bus import UNREACHABLE, Bus
from ucoder.v1 import trainer_pb2

FORGET_SECONDS = 10.0
log = structlog.get_logger()


class TrainingEvents:
    """The trainings that were heard of within the last seconds."""

    def __init__(self) -> None:
        self._heard: dict[tuple[str, str], tuple[float, trainer_pb2.TrainingProgress]] = {}

    @classmethod
    async def listen(cls, bus: Bus) -> "TrainingEvents":
        """Listens for as long as the bus is connected."""
        heard = cls()
        await bus.client.subscribe(f"{NEWS}.training.>", cb=heard._take)
        return heard

    def of(self, run: str) -> list[trainer_pb2.TrainingProgress]:
        """How far the trainings of a run are that are under way, by the dataset's name."""
        now = time.monotonic()
        return [
            moment for (of, _), (when, moment) in sorted(self._heard.items(), key=lambda item: item[0])
            if of == run and now - when < FORGET_SECONDS
        ]  # fmt: skip

    async def _take(self, message: Msg) -> None:
        *_, run, dataset = message.subject.split(".")
        now = time.monotonic()
        self._heard = {key: one for key, one in self._heard.items() if now - one[0] < FORGET_SECONDS}
        self._heard.pop((run, dataset), None)
        try:
            if message.data:
                self._heard[run, dataset] = now, trainer_pb2.TrainingProgress.FromString(message.data)
        except DecodeError:
            log.warning("news.unreadable", subject=message.subject)


async def tell(bus: Bus, run: str, dataset: str, moment: trainer_pb2.TrainingProgress | None) -> None:
    """Tells how far a training is; None when it is under way no longer. A bus that is away hears the next one."""
    try:
        await bus.client.publish(f"{NEWS}.training.{run}.{dataset}", moment.SerializeToString() if moment else b"")
    except UNREACHABLE as error:
        log.debug("news.untold", error=repr(error))
