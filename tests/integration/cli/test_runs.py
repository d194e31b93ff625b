"""`ucoder runs` against a service that speaks TLS, asks for a certificate, and knows its callers by their tokens."""

from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import TypedDict

import pytest
from tests.helm.certificates import certificates

from ucoder.cli.runs import cancel_run, create_run, list_runs, show_run, watch_run
from ucoder.errors import Misconfigured, UcoderError
from ucoder.runtime.app import serving
from ucoder.runtime.settings import Settings


class ServiceFlags(TypedDict):
    """The flags that name a RunService."""

    address: str
    token_file: Path


@pytest.fixture
async def service(
    nats_url: str, make_settings: Callable[..., Settings], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[ServiceFlags]:
    """A RunService as the chart has it in production."""
    certificates(tmp_path)
    (tmp_path / "tokens").write_text("alice:alice-0123456789\n")
    (tmp_path / "token").write_text("alice-0123456789\n")
    settings = make_settings(
        nats_url=nats_url, tokens_file=tmp_path / "tokens", tls_certificate=tmp_path / "tls.crt",
        tls_key=tmp_path / "tls.key", tls_client_ca=tmp_path / "ca.crt",
    )  # fmt: skip
    async with serving(settings, ("runs",)) as context:
        for name, file in (("CA", "ca.crt"), ("CERTIFICATE", "tls.crt"), ("KEY", "tls.key")):
            monkeypatch.setenv(f"UCODER_TLS_{name}", str(tmp_path / file))
        yield {"address": context.address.replace("127.0.0.1", "localhost"), "token_file": tmp_path / "token"}


async def test_a_run_is_created_shown_and_ended(
    service: ServiceFlags, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "my.yaml").write_text("loop: {briefs: 3}\n")
    await create_run(tmp_path / "my.yaml", "demo", "first", **service)
    await show_run("first", **service)
    await list_runs(**service)
    said = capsys.readouterr().out
    assert said.count("first running iteration 0: selected 0 abstained 0 dropped 0 of ") == 2
    assert "│ first │ running │" in said
    await cancel_run("first", "enough", **service)
    await watch_run("first", **service)
    assert "first cancelled" in capsys.readouterr().out


async def test_a_configuration_is_checked_before_it_is_sent(service: ServiceFlags, tmp_path: Path) -> None:
    (tmp_path / "my.yaml").write_text("loop: {breifs: 3}\n")
    with pytest.raises(Misconfigured, match="briefs"):
        await create_run(tmp_path / "my.yaml", None, "first", **service)


async def test_a_caller_without_a_token_or_a_certificate_is_told(
    service: ServiceFlags, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(UcoderError, match="token"):
        await list_runs(service["address"])
    monkeypatch.setenv("UCODER_TLS_CA", str(tmp_path / "nowhere"))
    with pytest.raises(Misconfigured, match="nowhere: No such file"):
        await list_runs(**service)
