"""`ucoder bench verdicts` on a file of our own: it finds what is false, what differs, and what is left."""

from typing import Any

import pytest

from ucoder.bench.verdicts import load, sharing, soak, truth
from ucoder.sandbox_runner.kinds import probe

USABLE = [name for name, usable, _ in probe() if usable and name in ("bubblewrap", "runsc")]
pytestmark = pytest.mark.skipif(not USABLE, reason="no isolation on this machine")
RECORDS: list[dict[str, Any]] = [
    {
        "id": "double",
        "entry_point": "f",
        "candidates": [{"code": "def f(x): return 2 * x"}, {"code": "def f(x): return x"}],
        "tests": [{"code": "assert f(2) == 4"}, {"code": "f(3)"}],
        "check": "def check(candidate):\n    assert candidate(2) == 4\ncheck(f)",
        "correct": [True, True],
    }
]


async def test_every_part_says_what_it_found() -> None:
    found = await truth(RECORDS, USABLE[-1], 1)
    assert found.disagree == ("double[1]: failed, correct is True",)
    assert (await sharing(RECORDS, USABLE[-1], 1)).differ == ()
    assert (await load(RECORDS, USABLE[-1], 1)).differ == ()
    long = await soak(RECORDS, 40, USABLE[-1], 1)
    assert long.processes[0] == long.processes[1]
    assert not long.folder_left
    assert long.outcomes == {"passed": 20, "failed": 20, "returned": 40}
