"""What the report says of stages 1 to 5: coverage, diversity, what was refused and why, tests, samples saved."""

import json
from collections import Counter
from typing import Any

from ucoder.runtime.storage import ledger
from ucoder.runtime.storage.artifacts import Artifacts
from ucoder.v1 import artifacts_pb2 as pb


def stages(dataset: pb.Dataset, n: int) -> dict[str, Any]:
    """Of one iteration; `n` is a problem's budget of programs."""
    spent = dict(dataset.ledger)
    sampled = sum(one.briefs for one in dataset.cells) - sum(
        count for reason, count in dataset.dropped.items() if not reason.startswith("consensus.")
    )
    fixed, programs = n * max(0, sampled), spent.get(ledger.PROGRAMS, 0)
    return {
        "ended_by": dataset.ended_by,
        "tokens": {name.split("-")[1]: count for name, count in sorted(spent.items()) if name.startswith("tokens-")},
        "sampling": {
            "problems": sampled,
            "fixed": fixed,
            "programs": programs,
            "saved": 1 - programs / fixed if fixed else 0.0,
            "granted": dataset.granted,
            "undecided": spent.get(ledger.UNDECIDED, 0),
            "distinct": spent.get(ledger.DISTINCT, 0) / programs if programs else 0.0,
        },
        "tests": dict(sorted(dataset.tests.items())),
        "test_bits": dataset.test_bits,
        "coverage": [
            {"domain": c.domain, "difficulty": c.difficulty, "briefs": c.briefs, "selected": c.selected}
            for c in dataset.cells
        ],
        "rating_correlation": dataset.rating_correlation,
        "complexity": {"mean": dataset.complexity, "sd": dataset.complexity_sd},
        "lines": {"mean": dataset.lines, "sd": dataset.lines_sd},
    }


async def refusals(artifacts: Artifacts, run: str) -> dict[str, Any]:
    """Attempts at problems that came to nothing, in the whole run: by reason, and known tasks by benchmark and rule."""
    reasons: Counter[str] = Counter()
    known: dict[str, list[dict[str, Any]]] = {}
    for key in await artifacts.store.keys(f"{run}/refused"):
        one = json.loads(await artifacts.store.get(key))
        reasons[one["reason"]] += 1
        if one["reason"] == "contaminated":
            rule = one["detail"].rsplit(" ", 1)[-1]
            known.setdefault(one["benchmark"], []).append({"brief": one["brief"], "task": one["task"], "rule": rule})
    return {"reasons": dict(reasons.most_common()), "known": known}
