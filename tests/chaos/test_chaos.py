"""The short form of `make chaos`: every kind of fault once, and the same endings as without any."""

import os
from pathlib import Path

import pytest
from tests.chaos.broken_run import ChaosPlan, broken_run
from tests.chaos.faults import FAULTS

from ucoder.v1 import artifacts_pb2 as pb

BRIEFS = 30


@pytest.mark.timeout(600)
async def test_a_run_survives_every_kind_of_fault(tmp_path: Path) -> None:
    if os.getuid() != 0:
        pytest.skip("needs the right to mount a small disk")
    (tmp_path / "whole").mkdir()
    whole = (await broken_run(tmp_path / "whole", ChaosPlan(briefs=BRIEFS, seed=3, kind="s3"))).outcome
    assert sum(ending == pb.ENDING_SELECTED for ending, _, _ in whole.endings.values()) > BRIEFS / 2
    for kind in ("file", "s3"):
        folder = tmp_path / kind
        folder.mkdir()
        plan = ChaosPlan(briefs=BRIEFS, seed=3, kind=kind, faults=len(FAULTS[kind]), pause=1, model_seconds=2.5)
        broken = await broken_run(folder, plan)
        assert len(broken.recoveries) > len(FAULTS[kind]) / 2, "the run ended before most faults had happened"
        assert broken.outcome.differing(whole).keys() <= broken.corrupted
        assert len(broken.outcome.order_dependent) < BRIEFS / 3
