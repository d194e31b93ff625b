"""gVisor's platforms, tried on this machine."""

import json
from pathlib import Path

import pytest

from ucoder.sandbox_runner.isolation import choice, gvisor, gvisor_platforms

pytestmark = pytest.mark.skipif(bool(gvisor.missing()), reason=f"no gVisor here: {gvisor.INSTALL}")


async def test_each_is_tried_once_and_the_answer_is_remembered(tmp_path: Path) -> None:
    kind = choice.choose("runsc")
    root = kind.root(None, None)
    chosen = await gvisor_platforms.settle(kind, root, tmp_path)
    (file,) = tmp_path.rglob("*.json")
    seconds = json.loads(file.read_text())
    assert seconds["systrap"] > 0
    assert chosen.platform == gvisor_platforms.fastest(seconds)
    file.write_text(json.dumps({"systrap": 1.0, "ptrace": 0.1}))
    assert (await gvisor_platforms.settle(kind, root, tmp_path)).platform == "ptrace"


async def test_one_that_does_not_run_is_none() -> None:
    kind = choice.choose("runsc").on("no-such-platform")
    assert await gvisor_platforms.trial(kind, kind.root(None, None)) is None


async def test_other_kinds_have_none(tmp_path: Path) -> None:
    kind = choice.choose("none")
    assert await gvisor_platforms.settle(kind, kind.root(None, None), tmp_path) is kind
    assert not list(tmp_path.iterdir())
