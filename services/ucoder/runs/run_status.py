"""How far a run is, counted by the bus and read from the store: nothing is kept that could disagree with them."""

from collections import Counter

from google.protobuf.timestamp_pb2 import Timestamp

from ucoder.flow import KINDS
from ucoder.runtime.messaging.bus import Bus
from ucoder.runtime.messaging.run_states import RunState
from ucoder.runtime.storage.artifacts import Artifacts
from ucoder.v1 import artifacts_pb2 as pb
from ucoder.v1 import runs_pb2

PER_BRIEF = ("brief", "problem", "tests", "candidates", "matrix", "consensus")


class Endings:
    """How briefs ended. Endings never change, so each is read once however often a status is asked for."""

    def __init__(self, artifacts: Artifacts) -> None:
        self._artifacts = artifacts
        self._known: dict[str, dict[str, tuple[int, str]]] = {}

    async def of(self, run: str, iteration: int) -> Counter[tuple[int, str]]:
        """(ending, `stage.reason` for drops, else the empty text) -> how many briefs of the iteration."""
        known = self._known.setdefault(run, {})
        names = await self._artifacts.names(run, "consensus", f"{iteration:03d}-")
        for name in names:
            if name not in known:
                one = await self._artifacts.get(pb.Consensus, run, name)
                dropped = one.ending == pb.ENDING_DROPPED
                known[name] = one.ending, f"{one.stage}.{one.reason}" if dropped else ""
        return Counter(known[name] for name in names)


async def status_of(
    run: str, state: RunState, created: Timestamp, artifacts: Artifacts, bus: Bus, endings: Endings
) -> runs_pb2.RunStatus:
    """The status of a run that somebody began."""
    status = runs_pb2.RunStatus(
        id=run, state=runs_pb2.RunState.Value(f"RUN_STATE_{state.state.upper()}"), reason=state.reason, created=created
    )
    iterations = [await artifacts.get(pb.Iteration, run, name) for name in await artifacts.names(run, "iteration")]
    going = [one for one in iterations if one.decision == pb.DECISION_CONTINUE]
    status.iteration = max((one.index for one in going), default=0)
    for kind in KINDS:
        of = status.iteration if kind in PER_BRIEF else None
        if of != 0:
            status.made[kind] = await bus.count(kind, run, of)
    status.briefs = status.made["brief"]
    for name in await artifacts.names(run, "evaluation"):
        evaluation = await artifacts.get(pb.Evaluation, run, name)
        for score in evaluation.scores:
            del score.per_task[:]
        status.evaluations.append(evaluation)
    for (ending, reason), count in (await endings.of(run, status.iteration)).items():
        if ending == pb.ENDING_DROPPED:
            status.dropped[reason] = count
        elif ending == pb.ENDING_SELECTED:
            status.selected = count
        else:
            status.abstained = count
    return status
