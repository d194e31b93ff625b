"""Consensus without a cluster: its own bus, service and sandbox, in this process, while a command needs them."""

import contextlib
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path

from ucoder.cli.execute import settings_of
from ucoder.runtime import log
from ucoder.runtime.app import serving
from ucoder.runtime.messaging.nats_server import nats_server


@contextlib.asynccontextmanager
async def consensus_at(
    address: str | None, isolation: str | None = None, cells: int | None = None
) -> AsyncIterator[str]:
    """Gives the address of a ConsensusService: the one named, or one of our own on a free loopback port."""
    if address:
        yield address
        return
    with tempfile.TemporaryDirectory(prefix="ucoder-embedded-") as name:
        folder = Path(name)
        settings = settings_of(isolation, cells).model_copy(
            update={
                "store_url": f"file://{folder / 'store'}",
                "cache_dir": folder / "cache",
                "listen": "127.0.0.1:0",
                "peers": "",
                "tls_certificate": None,
                "tokens_file": None,
                "metrics_port": 0,
                "log_level": "warning",
            }
        )
        log.configure(settings)
        async with nats_server(folder / "bus") as url:
            ours = settings.model_copy(update={"nats_url": url})
            async with serving(ours, ("consensus", "sandbox_runner")) as context:
                yield context.address
