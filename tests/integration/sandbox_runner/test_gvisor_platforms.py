"""Tests of gVisor's platforms, measured on this machine."""

import json
from pathlib import Path

import pytest

from ucoder.sandbox_runner.host import gvisor_platforms
from ucoder.sandbox_runner.isolation import choice, gvisor

pytestmark = pytest.mark.skipif(bool(gvisor.missing()), reason=f"no gVisor here: {gvisor.INSTALL}")


async def test_each_platform_is_measured_once_and_the_result_is_kept(tmp_path: Path) -> None:
    kind = choice.choose("runsc")
    root = kind.root(None, None)
    chosen = await gvisor_platforms.on_fastest_platform(kind, root, tmp_path)
    (file,) = tmp_path.rglob("*.json")
    seconds = json.loads(file.read_text())
    assert seconds["systrap"] > 0
    assert chosen.platform == gvisor_platforms.fastest(seconds)
    file.write_text(json.dumps({"systrap": 1.0, "ptrace": 0.1}))
    assert (await gvisor_platforms.on_fastest_platform(kind, root, tmp_path)).platform == "ptrace"


async def test_a_platform_that_does_not_run_has_no_seconds() -> None:
    kind = choice.choose("runsc").on("no-such-platform")
    assert await gvisor_platforms.measure_seconds(kind, kind.root(None, None)) is None


async def test_other_kinds_have_no_platforms(tmp_path: Path) -> None:
    kind = choice.choose("none")
    assert await gvisor_platforms.on_fastest_platform(kind, kind.root(None, None), tmp_path) is kind
    assert not list(tmp_path.iterdir())
