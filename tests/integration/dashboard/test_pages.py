"""Tests the dashboard over HTTP: its content, who may see it, and its treatment of hostile names and texts."""

import asyncio
import datetime
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.integration.dashboard.conftest import HOSTILE, NAME

from ucoder.errors import Misconfigured
from ucoder.runtime.app import serving
from ucoder.runtime.settings import Settings

PAGES = ("/", "/runs/r", "/runs/r/iterations/1", f"/runs/r/briefs/{NAME}", "/runs/r/briefs/001-000001",
         "/runs/r/rows/001")  # fmt: skip


async def test_every_page_shows_what_the_store_holds_and_escapes_every_text(shown: Callable[..., Any]) -> None:
    async with shown() as context, httpx.AsyncClient(base_url=context.web) as browser:
        pages = {path: await browser.get(path) for path in PAGES}
        for path, answer in pages.items():
            assert answer.status_code == 200, path
            assert HOSTILE not in answer.text
            assert 'onerror="' not in answer.text
            assert "script-src 'self'" in answer.headers["content-security-policy"]
        assert "/runs/r" in pages["/"].text
        run = pages["/runs/r"].text
        assert "70.0%" in run
        assert "control" in run
        assert "generator.duplicate" in run
        for sign in ("selection precision", "0.775", "0.362", "0.625"):
            assert sign in run
        assert "3 left out as duplicate" in pages["/runs/r/rows/001"].text
        brief = pages[f"/runs/r/briefs/{NAME}"].text
        for words in ("Confidence 0.83", "2 of 4 programs", "A says", "f(2)", "3 x f(", "returned 8"):
            assert words in brief
        assert f"begun {datetime.datetime.now(datetime.UTC):%Y-%m-%d}" in brief
        assert "dropped" in pages["/runs/r/briefs/001-000001"].text
        assert f"/runs/r/briefs/{NAME}" in pages["/runs/r/rows/001"].text
        for name in ("page.css", "page.js"):
            assert (await browser.get(f"/static/{name}")).status_code == 200


async def test_the_changing_part_comes_as_events_until_the_run_has_ended(shown: Callable[..., Any]) -> None:
    async with shown() as context, httpx.AsyncClient(base_url=context.web, timeout=20) as browser:
        async with browser.stream("GET", "/runs/r/live") as answer:
            lines = answer.aiter_lines()
            assert "running" in await anext(lines)
            await context.states.end("r", "cancelled", "enough <b>")
            rest = [line async for line in lines]
        assert any("enough &lt;b&gt;" in line for line in rest)
        assert "event: end" in rest


async def test_an_unknown_name_shows_nothing(shown: Callable[..., Any]) -> None:
    names = ["/runs/nobody", "/runs/%2e%2e%2f%2e%2e", "/runs/r/briefs/..%2f..%2frun%2f000", "/runs/r/briefs/999-000000"]
    names += ["/runs/*", "/runs/r%00", "/runs/R", "/runs/" + "a" * 3000, "/runs/r/rows/002", "/runs/r/briefs/%FF%FE"]
    names += ["/static/..%2fapp.py", "/static/app.py", "/etc/passwd"]
    async with shown() as context, httpx.AsyncClient(base_url=context.web) as browser:
        for path in names:
            answer = await browser.get(path)
            assert answer.status_code == 404, path
            assert "Traceback" not in answer.text
        empty = await browser.get("/runs/r/iterations/99999999999999999999?page=-1")
        assert "0 briefs" in empty.text


async def test_with_tokens_only_its_owner_sees_a_run(shown: Callable[..., Any], tmp_path: Path) -> None:
    tokens = tmp_path / "tokens"
    tokens.write_text("alice:alice-0123456789\nbob:bob-0123456789ab\n")
    async with shown(owner="alice", tokens_file=tokens) as context, httpx.AsyncClient(base_url=context.web) as browser:
        for wrong in (None, ("any", "guess"), ("any", ""), ("alice", "bob")):
            answer = await browser.get("/runs/r", auth=wrong)
            assert answer.status_code == 401
            assert answer.headers["www-authenticate"].startswith("Basic")
        assert (await browser.get("/", headers={"authorization": "Basic !"})).status_code == 401
        assert (await browser.get("/runs/r", auth=("any", "alice-0123456789"))).status_code == 200
        bearer = {"authorization": "Bearer bob-0123456789ab"}
        assert (await browser.get("/", headers=bearer)).status_code == 200
        for path in PAGES[1:]:
            assert (await browser.get(path, headers=bearer)).status_code == 404


async def test_a_taken_port_is_reported_in_one_line(nats_url: str, make_settings: Callable[..., Settings]) -> None:
    server = await asyncio.start_server(lambda *_: None, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        settings = make_settings(nats_url=nats_url, web_listen=f"127.0.0.1:{port}")
        with pytest.raises(Misconfigured, match="UCODER_WEB_LISTEN"):
            async with serving(settings, ("runs",)):
                pass
