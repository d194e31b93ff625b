"""Services without a cluster: this process serves them, with a sandbox of its own, while a command runs."""

import contextlib
from collections.abc import AsyncIterator

from ucoder.cli.shared.local_sandbox import settings_with_flags
from ucoder.runtime import log
from ucoder.runtime.app import serving

STANDALONE = ("consensus", "sandbox_runner")
"""The services that answer calls without bus and store."""


@contextlib.asynccontextmanager
async def consensus_service(
    address: str | None, isolation: str | None = None, cells: int | None = None
) -> AsyncIterator[str]:
    """Yields the address of a ConsensusService: the given one, or that of one served here on a free loopback port."""
    async with _served(address, STANDALONE, isolation, cells) as served:
        yield served


@contextlib.asynccontextmanager
async def sandbox_service(address: str | None, isolation: str | None = None) -> AsyncIterator[str]:
    """Yields the address of a SandboxService: the given one, or that of one with a single cell, served here."""
    async with _served(address, ("sandbox_runner",), isolation, 1) as served:
        yield served


@contextlib.asynccontextmanager
async def _served(
    address: str | None, services: tuple[str, ...], isolation: str | None, cells: int | None
) -> AsyncIterator[str]:
    if address:
        yield address
        return
    settings = settings_with_flags(isolation, cells).model_copy(
        update={
            "listen": "127.0.0.1:0",
            "peers": "",
            "tls_certificate": None,
            "tokens_file": None,
            "metrics_port": 0,
            "log_level": "warning",
        }
    )
    log.configure(settings)
    async with serving(settings, services, standalone=True) as context:
        yield context.address
