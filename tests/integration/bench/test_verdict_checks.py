"""`ucoder bench verdicts` on a small file: it finds false verdicts, differences, and leaked resources."""

import json
from pathlib import Path

import pytest

from ucoder.errors import Misconfigured
from ucoder.sandbox_runner.isolation.choice import probe
from ucoder_development.verdict_checks import check_load, check_sharing, check_truth, read_records, soak_test

USABLE = [name for name, usable, _ in probe() if usable and name in ("bubblewrap", "runsc")]
pytestmark = pytest.mark.skipif(not USABLE, reason="no isolation on this machine")
RECORD = {
    "id": "double",
    "entry_point": "f",
    "candidates": [{"code": "def f(x): return 2 * x"}, {"code": "def f(x): return x"}],
    "tests": [{"code": "assert f(2) == 4"}, {"code": "f(3)"}],
    "check": "def check(candidate):\n    assert candidate(2) == 4\ncheck(f)",
    "correct": [True, True],
}


async def test_every_part_says_what_it_found(tmp_path: Path) -> None:
    (tmp_path / "data.jsonl").write_text(json.dumps(RECORD))
    records = read_records(tmp_path / "data.jsonl", None)
    found = await check_truth(records, USABLE[-1], 1)
    assert found.disagree == ("double[1]: failed, correct is True",)
    assert (await check_sharing(records, USABLE[-1], 1)).differ == ()
    assert (await check_load(records, USABLE[-1], 1)).differ == ()
    long = await soak_test(records, 40, USABLE[-1], 1)
    assert long.processes[1] <= long.processes[0]  # the part before may be ending still
    assert not long.folder_left
    assert long.outcomes == {"passed": 20, "failed": 20, "returned": 40}


@pytest.mark.parametrize("wrong", [{"correct": [True]}, {"check": ...}])
def test_a_line_without_its_truth_is_named(tmp_path: Path, wrong: dict[str, object]) -> None:
    lines = [json.dumps(RECORD), json.dumps({k: v for k, v in (RECORD | wrong).items() if v is not ...})]
    (tmp_path / "data.jsonl").write_text("\n".join(lines))
    with pytest.raises(Misconfigured, match=r"data\.jsonl:2"):
        read_records(tmp_path / "data.jsonl", None)
