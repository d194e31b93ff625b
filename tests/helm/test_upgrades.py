"""Renders the chart as an upgrade of what a scripted API server holds already, which Helm's `lookup` reads."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from tests.integration.api_server import ApiServer

from .chart import CHART, helm


@pytest.fixture
async def server() -> AsyncIterator[ApiServer]:
    async with ApiServer.running() as server:
        yield server


async def upgrade(server: ApiServer, *flags: str) -> tuple[int, str]:
    """Renders an upgrade against the server; returns Helm's exit status and its messages."""
    where = ("--namespace", "space", "--dry-run=server", "--kube-apiserver", server.url)
    done = await asyncio.to_thread(helm, "template", "release", str(CHART), *where, *flags)
    return done.returncode, done.stderr


def nats(servers: int) -> dict[str, object]:
    spec = {"replicas": servers}
    return {"apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": {"name": "release-nats"}, "spec": spec}


@pytest.mark.parametrize(("before", "after"), [(3, 1), (5, 3)])
async def test_fewer_servers_of_the_bus_are_refused_in_one_line(server: ApiServer, before: int, after: int) -> None:
    server.put(nats(before))
    status, said = await upgrade(server, "--set", f"nats.replicas={after}")
    assert status != 0
    assert f"nats.replicas is {after}, but StatefulSet release-nats has {before} servers" in said
    assert ("get", "statefulsets", "release-nats") in server.calls


async def test_more_servers_and_a_first_installation_are_accepted(server: ApiServer) -> None:
    status, said = await upgrade(server, "--set", "nats.replicas=1")
    assert status == 0, said
    server.put(nats(1))
    status, said = await upgrade(server, "--set", "nats.replicas=3")
    assert status == 0, said
