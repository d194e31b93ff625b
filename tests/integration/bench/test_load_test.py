"""`ucoder bench load`, short: services in processes of their own end every brief, and limit a caller who floods."""

import json
from pathlib import Path

import pytest

from ucoder_development.load_test import SERVICES, measure_and_print


async def test_every_brief_ends_and_nobody_is_starved(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    await measure_and_print(briefs=40, calls=200, isolation="auto", plot=tmp_path / "memory.png", as_json=True)
    found = json.loads(capsys.readouterr().out)
    assert found["briefs_per_second"] > 0
    by_arrow = {one["arrow"]: one["briefs"] for one in found["arrows"]}
    assert 0 < by_arrow["matrix_to_consensus"] <= by_arrow["brief_to_problem"] <= 40
    assert [one["service"] for one in found["services"]] == list(SERVICES)
    assert all(one["end_descriptors"] < 100 for one in found["services"])
    flood, steady = found["callers"]
    assert set(flood["statuses"]) == {"OK", "RESOURCE_EXHAUSTED"}
    assert steady["statuses"] == {"OK": 20}, "who stays below his places is served in full"
    assert (tmp_path / "memory.png").read_bytes().startswith(b"\x89PNG")
