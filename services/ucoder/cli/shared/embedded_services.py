"""A ConsensusService without a cluster: this process serves it, with its own bus and sandbox, while a command runs."""

import contextlib
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path

from ucoder.cli.shared.local_sandbox import settings_with_flags
from ucoder.runtime import log
from ucoder.runtime.app import serving
from ucoder.runtime.messaging.nats_server import nats_server


@contextlib.asynccontextmanager
async def consensus_service(
    address: str | None, isolation: str | None = None, cells: int | None = None
) -> AsyncIterator[str]:
    """Yields the address of a ConsensusService: the given one, or that of one served here on a free loopback port."""
    if address:
        yield address
        return
    with tempfile.TemporaryDirectory(prefix="ucoder-embedded-") as name:
        folder = Path(name)
        settings = settings_with_flags(isolation, cells).model_copy(
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
            own_settings = settings.model_copy(update={"nats_url": url})
            async with serving(own_settings, ("consensus", "sandbox_runner")) as context:
                yield context.address
