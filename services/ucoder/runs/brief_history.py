"""Reads the history of a brief: the artefacts that it has become so far, and when each of them was written."""

from dataclasses import dataclass
from typing import Any

from ucoder.errors import NotFound
from ucoder.flow import BRIEF_KINDS, KINDS
from ucoder.runtime.storage.artifacts import TYPES, Artifacts
from ucoder.v1 import artifacts_pb2 as pb

BRIEF_STAGES: tuple[str, ...] = (*(kind for kind in KINDS if kind in BRIEF_KINDS), "consensus")
"""The kinds of artefact that a brief becomes, in the order in which they are made."""


@dataclass(frozen=True, slots=True)
class BriefHistory:
    """The artefacts of one brief. Those that were not made, or not yet, are None."""

    brief: pb.Brief
    problem: pb.Problem | None
    tests: pb.Tests | None
    candidates: pb.Candidates | None
    matrix: pb.Matrix | None
    consensus: pb.Consensus | None
    written: dict[str, float]
    """Kind of artefact -> when it was written, in seconds since the epoch; in the order of BRIEF_STAGES."""

    @property
    def seconds(self) -> dict[str, float]:
        """Kind of artefact -> how many seconds after the brief it was written."""
        return {kind: when - self.written["brief"] for kind, when in self.written.items()}


async def brief_history(artifacts: Artifacts, run: str, name: str) -> BriefHistory:
    """Reads what became of a brief. Raises NotFound when the run has no brief of that name."""
    made: dict[str, Any] = dict.fromkeys(BRIEF_STAGES)
    written = {}
    for kind in BRIEF_STAGES:
        try:
            made[kind] = await artifacts.get(TYPES[kind], run, name)
            written[kind] = await artifacts.written_at(run, kind, name)
        except NotFound:
            if kind == "brief":
                raise NotFound(f"run {run} has no brief {name}; the rows of its datasets name their briefs.") from None
    return BriefHistory(**made, written=written)


def ending_name(ended: pb.Consensus) -> str:
    """Returns how a brief ended, in one word: selected, abstained or dropped."""
    return pb.Ending.Name(ended.ending).removeprefix("ENDING_").lower()
