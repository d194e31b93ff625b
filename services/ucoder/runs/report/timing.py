"""When each stage was at work, from the times its artefacts were written."""

from typing import Any

from ucoder.flow import KINDS
from ucoder.runtime.storage.artifacts import SUFFIX, Artifacts

SKIP = ("run", "brief", "iteration", "served_model")  # made in an instant
STARTS_WITH = {
    "problem": "brief", "tests": "brief", "candidates": "brief", "matrix": "brief", "consensus": "brief",
    "checkpoint": "dataset", "evaluation": "served_model",
}  # fmt: skip


async def timeline(artifacts: Artifacts, run: str) -> list[dict[str, Any]]:
    """Spans {stage, part, start, end} in seconds since the run was created; `part` is 000, 001, 001-control, ...

    A span begins when the first artefact its stage waits for was written, and ends with its own last one. A run that
    was stopped and resumed shows the pause.
    """
    written: dict[tuple[str, str], list[float]] = {}
    for kind in KINDS:
        for key, seconds in (await artifacts.store.written(f"{run}/{kind}")).items():
            name = key.rsplit("/", 1)[-1].removesuffix(SUFFIX)
            part = name if name.endswith("-control") else name.split("-")[0]
            written.setdefault((kind, part), []).append(seconds)
    begun = min(written["run", "000"])
    spans = []
    for (kind, part), times in written.items():
        if kind in SKIP or (kind == "checkpoint" and part == "000"):
            continue
        waits = written.get((STARTS_WITH.get(kind, kind), part), times)
        spans.append({"stage": kind, "part": part, "start": min(waits) - begun, "end": max(times) - begun})
    return spans
