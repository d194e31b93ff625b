"""A consensus service with its sandbox on a real bus, in the event loop of the tests."""

from collections.abc import AsyncIterator
from pathlib import Path

import grpc
import pytest
import pytest_asyncio

from ucoder.runtime.app import serving
from ucoder.runtime.messaging.nats_server import nats_server
from ucoder.runtime.settings import Settings
from ucoder.v1 import consensus_pb2_grpc


def settings_in(folder: Path, **overrides: object) -> Settings:
    return Settings.model_validate(
        {
            "store_url": f"file://{folder / 'store'}",
            "cache_dir": folder / "cache",
            "listen": "127.0.0.1:0",
            "cells": 1,
            "drain_seconds": 1.0,
            **overrides,
        }
    )


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def address(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[str]:
    """Yields the address of a consensus and a sandbox service in the event loop of the tests."""
    folder = tmp_path_factory.mktemp("consensus")
    async with (
        nats_server(folder / "nats") as url,
        serving(settings_in(folder, nats_url=url), ("consensus", "sandbox_runner")) as context,
    ):
        yield context.address


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stub(address: str) -> AsyncIterator[consensus_pb2_grpc.ConsensusServiceStub]:
    large = [("grpc.max_send_message_length", 64 << 20), ("grpc.max_receive_message_length", 64 << 20)]
    async with grpc.aio.insecure_channel(address, large) as channel:
        yield consensus_pb2_grpc.ConsensusServiceStub(channel)
