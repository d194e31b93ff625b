"""Tests deploy/nats_accounts.py on the chart's own server: each service has the rights that it needs and no others."""

import asyncio
import runpy
from pathlib import Path

import pytest
from nats.errors import TimeoutError as NatsTimeout
from nats.js import JetStreamContext
from nats.js.api import StreamConfig

from ucoder.flow import PROGRESS_EVENTS, SERVICES, arrows_of
from ucoder.runtime.messaging.bus import Bus
from ucoder.runtime.messaging.run_states import RunStates
from ucoder.runtime.settings import Settings
from ucoder.v1 import artifacts_pb2 as pb

from .chart import ROOT
from .test_bus import configuration, running

pytest.importorskip("nkeys", reason="nats-py needs nkeys for credentials files")


async def answer_without_credentials(url: str) -> bytes:
    """Returns what the server answers to a client without credentials."""
    reader, writer = await asyncio.open_connection("127.0.0.1", int(url.rpartition(":")[2]))
    writer.write(b'CONNECT {"verbose":false}\r\nPING\r\n')
    try:
        return await asyncio.wait_for(reader.read(), 10)
    finally:
        writer.close()
        await writer.wait_closed()


async def wait_until_refused(bus: Bus, what: str) -> None:
    """Waits until the server has reported that it refuses this, which may be after the answer to a flush."""
    async with asyncio.timeout(10):
        while f"permissions violation for {what.lower()}" not in str(bus.client.last_error).lower():
            await bus.client.flush()


async def test_each_service_can_do_its_work_and_nothing_else(tmp_path: Path) -> None:
    account = runpy.run_path(str(ROOT / "deploy" / "nats_accounts.py"))["write"](tmp_path / "auth")
    assert account == "UCODER"
    assert {path.stat().st_mode & 0o077 for path in (tmp_path / "auth").iterdir()} == {0}
    conf = configuration("defaults", tmp_path)
    conf.write_text(conf.read_text() + "include auth/auth.conf\n")  # as the chart renders it with credentialsSecret
    async with running(conf) as addresses:
        url = addresses["nats"][0]
        assert b"Authorization Violation" in await answer_without_credentials(url)
        for number, service in enumerate(SERVICES):
            credentials = tmp_path / "auth" / f"{service.replace('_', '-')}.creds"
            inbox = f"_INBOX_{service}"
            bus = await Bus.connect(Settings(nats_url=url, nats_credentials=credentials, nats_inbox_prefix=inbox))
            states = await RunStates.open(bus)
            await states.begin(f"run-{number}")
            assert (await states.get(f"run-{number}")).state == "running"
            for arrow in arrows_of(service):
                name = f"000-{number:06d}"
                assert await bus.publish(
                    pb.Ref(kind=arrow.product, run="r", name=f"{name}.{arrow.name}", sha256="0" * 64)
                )
                await bus.jetstream.pull_subscribe_bind(arrow.name, "UCODER")
                await bus.client.flush()
            for event in PROGRESS_EVENTS:
                if event.sender == service:
                    await bus.client.publish(f"{event.subject}.r.001", b"")
                if event.listener == service:
                    await bus.client.subscribe(f"{event.subject}.>")
            await bus.client.flush()
            assert bus.client.last_error is None, service
            if service == "sandbox_runner":
                forged = JetStreamContext(bus.client, timeout=1)
                with pytest.raises(NatsTimeout):  # NATS does not answer a denied request
                    await forged.publish("ucoder.checkpoint.r.666", b"{}")
                with pytest.raises(NatsTimeout):
                    await forged.purge_stream("UCODER")
                with pytest.raises(NatsTimeout):
                    await forged.delete_consumer("UCODER", "brief_to_problem")
                with pytest.raises(NatsTimeout):
                    await forged.update_stream(StreamConfig(name="UCODER", subjects=["ucoder.>"], max_msgs=1))
                await bus.client.publish("ucoder-news.training.r.001", b"")
                await wait_until_refused(bus, 'publish to "ucoder-news.training.r.001"')
                await bus.client.subscribe("_INBOX_runs.>")  # the answers to another service
                await wait_until_refused(bus, 'subscription to "_INBOX_runs.>"')
            await bus.close()
