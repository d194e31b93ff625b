"""Reads how far a run is. The bus counts the artefacts and the store holds them, so no other record can disagree."""

from collections import Counter

from ucoder.flow import KINDS
from ucoder.runs.brief_history import BRIEF_STAGES
from ucoder.runtime.messaging.bus import Bus
from ucoder.runtime.messaging.run_states import RunState
from ucoder.runtime.storage.artifacts import Artifacts
from ucoder.v1 import artifacts_pb2 as pb
from ucoder.v1 import runs_pb2


class StatusReader:
    """Reads the status of runs. A brief's ending never changes, so each ending is read once and kept."""

    def __init__(self, artifacts: Artifacts, bus: Bus) -> None:
        self._artifacts, self._bus = artifacts, bus
        self._endings: dict[str, dict[str, tuple[int, str]]] = {}

    async def read(self, run: pb.Run, state: RunState) -> runs_pb2.RunStatus:
        """Returns the status of a run, without the trainings under way."""
        status = runs_pb2.RunStatus(
            id=run.id,
            state=runs_pb2.RunState.Value(f"RUN_STATE_{state.state.upper()}"),
            reason=state.reason,
            created=run.created,
        )
        for name in await self._artifacts.names(run.id, "iteration"):
            iteration = await self._artifacts.get(pb.Iteration, run.id, name)
            if iteration.decision == pb.DECISION_CONTINUE:
                status.iteration = max(status.iteration, iteration.index)
        for kind in KINDS:
            of_iteration = status.iteration if kind in BRIEF_STAGES else None
            if of_iteration != 0:
                status.made[kind] = await self._bus.count(kind, run.id, of_iteration)
        status.briefs = status.made["brief"]
        for name in await self._artifacts.names(run.id, "evaluation"):
            evaluation = await self._artifacts.get(pb.Evaluation, run.id, name)
            for score in evaluation.scores:
                del score.per_task[:]
            status.evaluations.append(evaluation)
        for (ending, reason), count in (await self._count_endings(run.id, status.iteration)).items():
            if ending == pb.ENDING_DROPPED:
                status.dropped[reason] = count
            elif ending == pb.ENDING_SELECTED:
                status.selected = count
            else:
                status.abstained = count
        return status

    async def _count_endings(self, run: str, iteration: int) -> Counter[tuple[int, str]]:
        """Returns (ending, reason) -> briefs of the iteration; the reason is `stage.reason` of a drop, else empty."""
        known = self._endings.setdefault(run, {})
        names = await self._artifacts.names(run, "consensus", f"{iteration:03d}-")
        for name in names:
            if name not in known:
                ended = await self._artifacts.get(pb.Consensus, run, name)
                dropped = ended.ending == pb.ENDING_DROPPED
                known[name] = ended.ending, f"{ended.stage}.{ended.reason}" if dropped else ""
        return Counter(known[name] for name in names)


def state_name(state: runs_pb2.RunState.ValueType) -> str:
    """Returns running, succeeded, failed or cancelled."""
    return runs_pb2.RunState.Name(state).removeprefix("RUN_STATE_").lower()
