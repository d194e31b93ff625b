"""The short form of `make chaos`: every kind of fault once, and the same endings as without any."""

import os
from pathlib import Path

import pytest
from tests.chaos.breaking import broken_run
from tests.chaos.faults import FAULTS

from ucoder.v1 import artifacts_pb2 as pb

BRIEFS = 30


@pytest.mark.timeout(600)
async def test_a_run_survives_everything_that_can_break(tmp_path: Path) -> None:
    if os.getuid() != 0:
        pytest.skip("needs the right to mount a small disk")
    (tmp_path / "whole").mkdir()
    whole, _, _ = await broken_run(
        tmp_path / "whole", briefs=BRIEFS, seed=3, kind="s3", faults=0, pause=0, model_seconds=0
    )
    assert sum(ending == pb.ENDING_SELECTED for ending, _, _ in whole.endings.values()) > BRIEFS / 2
    for kind in ("file", "s3"):
        folder = tmp_path / kind
        folder.mkdir()
        books, recoveries, corrupted = await broken_run(
            folder, briefs=BRIEFS, seed=3, kind=kind, faults=len(FAULTS[kind]), pause=1, model_seconds=2.5
        )
        assert len(recoveries) > len(FAULTS[kind]) / 2, "the run was over before much was broken"
        assert books.differing(whole).keys() <= corrupted
        assert len(books.collided) < BRIEFS / 3
