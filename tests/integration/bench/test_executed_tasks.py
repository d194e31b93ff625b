"""Tasks run in the real sandbox once and are read from disk the second time."""

import gzip
import json
from pathlib import Path

import pytest

from ucoder.core.selection import select
from ucoder.errors import Misconfigured
from ucoder_development.executed_tasks import execute_tasks

LINE = {
    "id": "double",
    "entry_point": "f",
    "candidates": [{"code": f"def f(x):\n    return {body}\n"} for body in ("x * 2", "x + x", "x ** 2", "x.y")],
    "tests": [{"code": "assert f(3) == 6", "count": 2}, {"code": "assert f(0) == 0", "count": 1}],
    "correct": [True, True, False, False],
}


async def test_execution_is_kept_and_reused(tmp_path: Path) -> None:
    source, cache = tmp_path / "dev.jsonl.gz", tmp_path / "cache"
    source.write_bytes(gzip.compress(json.dumps(LINE).encode()))
    (task,) = await execute_tasks(source, cache, cells=1)
    assert select(task.matrix).winner in (0, 1)
    assert task.matrix.passed.sum(axis=1).tolist() == [2, 2, 1, 0]
    (kept,) = cache.iterdir()
    before = kept.stat().st_mtime_ns
    (again,) = await execute_tasks(source, cache, isolation="no such thing")  # nothing is left to run
    assert (again.matrix.outcomes == task.matrix.outcomes).all()
    assert kept.stat().st_mtime_ns == before


async def test_a_line_that_lacks_a_field_is_named(tmp_path: Path) -> None:
    source = tmp_path / "dev.jsonl"
    source.write_text(json.dumps({"id": "x"}) + "\n")
    with pytest.raises(Misconfigured, match=r"dev.jsonl:1 lacks candidates, correct"):
        await execute_tasks(source, tmp_path / "cache")
