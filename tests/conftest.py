"""The fixtures of all tests: real servers on free loopback ports, which end with the test."""

import os
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from ucoder.runtime.messaging.nats_server import nats_server
from ucoder.runtime.settings import Settings

os.environ["HF_HUB_OFFLINE"] = (
    "1"  # otherwise the hub's libraries would send statistics, and tests use loopback traffic alone
)
SHARED = Path(__file__).parents[2] / "shared" / "data"


@pytest.fixture
async def nats_url(tmp_path: Path) -> AsyncIterator[str]:
    """The URL of a real nats-server with JetStream, for this test alone."""
    async with nats_server(tmp_path / "nats") as url:
        yield url


@pytest.fixture
def make_settings(tmp_path: Path) -> Callable[..., Settings]:
    """Makes settings whose paths are all in the test's own folder."""

    def make(**overrides: Any) -> Settings:
        values = {
            "store_url": f"file://{tmp_path / 'store'}",
            "cache_dir": tmp_path / "cache",
            "listen": "127.0.0.1:0",
            "web_listen": "",
            "ack_wait_seconds": 2.0,
            "drain_seconds": 1.0,
        }
        return Settings(**{**values, **overrides})

    return make


@pytest.fixture
def shared_data() -> Callable[[str], Path]:
    """Finds a data file that is not part of the repository; the test is skipped where it is absent."""

    def find(name: str) -> Path:
        path = SHARED / name
        if not path.exists():
            pytest.skip(f"the data file {name} is not on this machine")
        return path

    return find
