"""What is broken, one function each: it breaks something, waits, and puts it right as far as an operator would."""

import asyncio
import contextlib
import signal
import subprocess
from collections.abc import Awaitable, Callable

from tests.chaos.ground import ACK_WAIT, RUN, Ground

from ucoder.flow import SERVICES
from ucoder.runtime.messaging.bus import STREAM, parse_ref
from ucoder.runtime.storage.artifacts import SUFFIX

Fault = Callable[[Ground], Awaitable[None]]
SKEWED = (
    "-c",
    "import time, sys; real = time.time; time.time = lambda: real() + 3600; "
    "sys.argv[0] = 'ucoder'; from ucoder.cli import main; main()",
)


async def kill_a_service(ground: Ground) -> None:
    """kill -9, and started again as a kubelet does."""
    name = ground.random.choice(SERVICES)
    ground.fleet.signal(name, signal.SIGKILL)
    await ground.fleet.wait_or_kill(name)
    await asyncio.sleep(ground.random.random())
    await ground.fleet.start(name)
    await ground.fleet.ready(name)


async def kill_the_bus(ground: Ground) -> None:
    """kill -9 of nats-server; it comes back with its state."""
    await ground.nats.kill()
    await asyncio.sleep(2 * ground.random.random())
    await ground.nats.start()


async def freeze_a_service(ground: Ground) -> None:
    """SIGSTOP for longer than the acknowledgement wait: its messages go to others, and then it goes on as if nothing
    had happened."""
    name = ground.random.choice(SERVICES)
    ground.fleet.signal(name, signal.SIGSTOP)
    await asyncio.sleep(ACK_WAIT + 2)
    ground.fleet.signal(name, signal.SIGCONT)


async def cut_the_bus(ground: Ground) -> None:
    """Every connection to the bus is lost, several times, and new ones refused for a while."""
    for _ in range(3):
        ground.bus_link.refusing = True
        ground.bus_link.cut()
        await asyncio.sleep(ground.random.random())
        ground.bus_link.refusing = False
        await asyncio.sleep(0.5)


async def delay_the_bus(ground: Ground) -> None:
    """A slow network."""
    ground.bus_link.delay = 0.2
    await asyncio.sleep(3)
    ground.bus_link.delay = 0.0


async def skew_a_clock(ground: Ground) -> None:
    """One service an hour ahead, from here on."""
    name = ground.random.choice(SERVICES)
    ground.fleet.signal(name, signal.SIGTERM)
    await ground.fleet.wait_or_kill(name)
    await ground.fleet.start(name, SKEWED)
    await ground.fleet.ready(name)


async def deliver_again(ground: Ground) -> None:
    """Old messages once more, in any order."""
    info = await ground.bus.jetstream.stream_info(STREAM)
    for sequence in ground.random.sample(range(info.state.first_seq, info.state.last_seq + 1), 5):
        with contextlib.suppress(Exception):
            message = await ground.bus.jetstream.get_msg(STREAM, sequence)
            ref = parse_ref(message.data or b"")
            assert not await ground.bus.publish(ref), "the bus took a second message about the same artefact"
            if ref.kind not in ("run", "iteration", "dataset", "checkpoint"):
                await ground.bus.requeue(ref)


async def fill_the_disk(ground: Ground) -> None:
    """Not a byte left for the store, for a while."""
    ballast = ground.disk / "ballast"
    with ballast.open("wb", buffering=0) as file, contextlib.suppress(OSError):
        while True:
            file.write(b"\0" * (1 << 12))
    await asyncio.sleep(3)
    ballast.unlink()


async def write_protect_the_store(ground: Ground) -> None:
    """The store's file system becomes read-only, as after an error of its disk, and is mounted again."""
    async with asyncio.timeout(20):
        while subprocess.run(["mount", "-o", "remount,ro", ground.disk], check=False, capture_output=True).returncode:
            await asyncio.sleep(0.01)  # somebody is writing
    await asyncio.sleep(3)
    subprocess.run(["mount", "-o", "remount,rw", ground.disk], check=True)


async def lose_the_store(ground: Ground) -> None:
    """The S3 server cannot be reached; what was under way is cut in the middle."""
    assert ground.store_link is not None
    ground.store_link.refusing = True
    ground.store_link.cut()
    await asyncio.sleep(3)
    ground.store_link.refusing = False


async def corrupt_an_artefact(ground: Ground) -> None:
    """A problem is truncated on disk before it became tests. Whoever had read it goes on; else its brief ends as a dead
    letter, and no other does."""
    ground.fleet.signal("test_synth", signal.SIGSTOP)
    try:
        names = [set(await ground.artifacts.names(RUN, kind)) for kind in ("problem", "tests", "consensus")]
        if waiting := sorted(names[0] - names[1] - names[2]):
            chosen = ground.random.choice(waiting)
            path = ground.disk / "store" / RUN / "problem" / f"{chosen}{SUFFIX}"
            path.write_bytes(path.read_bytes()[:-7])
            ground.corrupted.add(chosen)
    finally:
        ground.fleet.signal("test_synth", signal.SIGCONT)


EVERYWHERE: tuple[Fault, ...] = (
    kill_a_service, kill_the_bus, freeze_a_service, cut_the_bus, delay_the_bus, skew_a_clock, deliver_again,
)  # fmt: skip
FAULTS: dict[str, tuple[Fault, ...]] = {
    "file": (*EVERYWHERE, fill_the_disk, write_protect_the_store, corrupt_an_artefact),
    "s3": (*EVERYWHERE, lose_the_store),
}
