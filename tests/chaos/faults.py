"""The faults. Each function breaks something, waits, and repairs it as far as an operator or Kubernetes would."""

import asyncio
import contextlib
import signal
import subprocess
from collections.abc import Awaitable, Callable

from tests.chaos.chaos_test_bed import ACK_WAIT, RUN, ChaosTestBed

from ucoder.errors import Retry
from ucoder.flow import BRIEF_KINDS, SERVICES
from ucoder.runtime.storage.artifacts import SUFFIX

Fault = Callable[[ChaosTestBed], Awaitable[None]]
SKEWED = (
    "-c",
    "import time, sys; real = time.time; time.time = lambda: real() + 3600; "
    "sys.argv[0] = 'ucoder'; from ucoder.cli import main; main()",
)


async def kill_a_service(bed: ChaosTestBed) -> None:
    """Kills a service with SIGKILL and starts it again, as a kubelet does."""
    name = bed.random.choice(SERVICES)
    bed.fleet.signal(name, signal.SIGKILL)
    await bed.fleet.wait_or_kill(name)
    await asyncio.sleep(bed.random.random())
    await bed.fleet.start(name)
    await bed.fleet.ready(name)


async def kill_the_bus(bed: ChaosTestBed) -> None:
    """Kills nats-server with SIGKILL and starts it again with its state."""
    await bed.nats.kill()
    await asyncio.sleep(2 * bed.random.random())
    await bed.nats.start()


async def freeze_a_service(bed: ChaosTestBed) -> None:
    """Stops a service (SIGSTOP) for longer than the acknowledgement wait, and lets it continue.

    Its messages are delivered again in the meantime.
    """
    name = bed.random.choice(SERVICES)
    bed.fleet.signal(name, signal.SIGSTOP)
    await asyncio.sleep(ACK_WAIT + 2)
    bed.fleet.signal(name, signal.SIGCONT)


async def cut_the_bus(bed: ChaosTestBed) -> None:
    """Cuts every connection to the bus three times, and refuses new ones for a while."""
    for _ in range(3):
        bed.bus_proxy.refusing = True
        bed.bus_proxy.cut()
        await asyncio.sleep(bed.random.random())
        bed.bus_proxy.refusing = False
        await asyncio.sleep(0.5)


async def delay_the_bus(bed: ChaosTestBed) -> None:
    """Slows down the connections to the bus."""
    bed.bus_proxy.delay = 0.2
    await asyncio.sleep(3)
    bed.bus_proxy.delay = 0.0


async def skew_a_clock(bed: ChaosTestBed) -> None:
    """Restarts a service with a clock that is an hour ahead, for the rest of the run."""
    name = bed.random.choice(SERVICES)
    bed.fleet.signal(name, signal.SIGTERM)
    await bed.fleet.wait_or_kill(name)
    await bed.fleet.start(name, SKEWED)
    await bed.fleet.ready(name)


async def deliver_again(bed: ChaosTestBed) -> None:
    """Publishes messages about old artefacts again, in random order."""
    for kind in bed.random.sample(sorted(BRIEF_KINDS | {"consensus", "served_model", "evaluation"}), 5):
        with contextlib.suppress(Retry):
            names = await bed.artifacts.names(RUN, kind)
            ref = await bed.artifacts.find(RUN, kind, bed.random.choice(names)) if names else None
            if ref:
                await bed.bus.requeue(ref)


async def fill_the_disk(bed: ChaosTestBed) -> None:
    """Fills the store's disk completely for a while."""
    ballast = bed.disk / "ballast"
    with ballast.open("wb", buffering=0) as file, contextlib.suppress(OSError):
        while True:
            file.write(b"\0" * (1 << 12))
    await asyncio.sleep(3)
    ballast.unlink()


async def write_protect_the_store(bed: ChaosTestBed) -> None:
    """Makes the store's file system read-only for a while, as Linux does after a disk error."""
    async with asyncio.timeout(20):
        while subprocess.run(["mount", "-o", "remount,ro", bed.disk], check=False, capture_output=True).returncode:
            await asyncio.sleep(0.01)  # it is busy while a process writes
    await asyncio.sleep(3)
    subprocess.run(["mount", "-o", "remount,rw", bed.disk], check=True)


async def lose_the_store(bed: ChaosTestBed) -> None:
    """Cuts the connections to the S3 server and refuses new ones for a while."""
    assert bed.store_proxy is not None
    bed.store_proxy.refusing = True
    bed.store_proxy.cut()
    await asyncio.sleep(3)
    bed.store_proxy.refusing = False


async def corrupt_an_artefact(bed: ChaosTestBed) -> None:
    """Truncates a problem on disk before its tests are made.

    The run goes on where the problem was read before; otherwise its brief ends as a dead letter, and no other does.
    """
    bed.fleet.signal("test_synth", signal.SIGSTOP)
    try:
        names = [set(await bed.artifacts.names(RUN, kind)) for kind in ("problem", "tests", "consensus")]
        if waiting := sorted(names[0] - names[1] - names[2]):
            chosen = bed.random.choice(waiting)
            path = bed.disk / "store" / RUN / "problem" / f"{chosen}{SUFFIX}"
            path.write_bytes(path.read_bytes()[:-7])
            bed.corrupted.add(chosen)
    finally:
        bed.fleet.signal("test_synth", signal.SIGCONT)


EVERYWHERE: tuple[Fault, ...] = (
    kill_a_service, kill_the_bus, freeze_a_service, cut_the_bus, delay_the_bus, skew_a_clock, deliver_again,
)  # fmt: skip
FAULTS: dict[str, tuple[Fault, ...]] = {
    "file": (*EVERYWHERE, fill_the_disk, write_protect_the_store, corrupt_an_artefact),
    "s3": (*EVERYWHERE, lose_the_store),
}
