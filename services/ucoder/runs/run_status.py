"""Reads how far a run is: the running counts of its briefs, and the few other artefacts from the store."""

import asyncio
from collections import Counter

from ucoder.flow import KINDS
from ucoder.runs.count_recovery import read_copy, recover, save_copy, sums_of_copy
from ucoder.runtime.messaging.count_chunks import DROPPED, MADE, STAGES
from ucoder.runtime.messaging.run_states import ENDED, RunState
from ucoder.runtime.messaging.running_counts import RunningCounts
from ucoder.runtime.storage.artifacts import Artifacts
from ucoder.v1 import artifacts_pb2 as pb
from ucoder.v1 import runs_pb2


class StatusReader:
    """Reads the status of runs. Artefacts never change, so each is read once and kept."""

    def __init__(self, artifacts: Artifacts, counts: RunningCounts) -> None:
        self._artifacts, self._counts = artifacts, counts
        self._evaluations: dict[tuple[str, str], pb.Evaluation] = {}
        self._last_iterations: dict[tuple[str, str], int] = {}

    async def read(self, run: pb.Run, state: RunState) -> runs_pb2.RunStatus:
        """Returns the status of a run, without the trainings under way."""
        status = runs_pb2.RunStatus(
            id=run.id,
            state=runs_pb2.RunState.Value(f"RUN_STATE_{state.state.upper()}"),
            reason=state.reason,
            created=run.created,
        )
        if state.state in ENDED and state.seconds:
            status.ended.FromNanoseconds(int(state.seconds * 1e9))
        others = [kind for kind in KINDS if kind not in STAGES]
        names = dict(
            zip(others, await asyncio.gather(*(self._artifacts.names(run.id, one) for one in others)), strict=True)
        )
        status.made.update({kind: len(found) for kind, found in names.items()})
        for name in names["evaluation"]:
            status.evaluations.append(await self._evaluation(run.id, name))
        if names["iteration"]:
            status.iteration = await self._last_iteration(run.id, names["iteration"][-1])
        if status.iteration:
            sums = await self.sums(run.id, status.iteration)
            status.made.update({stage: sums[stage][MADE] for stage in STAGES})
            status.briefs = status.made["brief"]
            ended = sums["consensus"]
            status.selected, status.abstained = ended["selected"], ended["abstained"]
            status.dropped.update(
                {key.removeprefix(DROPPED): count for key, count in ended.items() if key.startswith(DROPPED)}
            )
        return status

    async def sums(self, run: str, iteration: int) -> dict[str, Counter[str]]:
        """Returns the sums of each stage, from the bus, or from the store's copy where the bus has forgotten them.

        A run of an older version has neither: its artefacts are counted once.
        """
        sums = await self._counts.of_iteration(run, iteration)
        if sums["brief"] or not await self._artifacts.find(run, "brief", f"{iteration:03d}-000000"):
            return sums
        if copy := await read_copy(self._artifacts, run, iteration):
            return sums_of_copy(copy)
        await recover(self._artifacts, self._counts, run, iteration)
        await save_copy(self._artifacts, self._counts, run, iteration)
        return await self._counts.of_iteration(run, iteration)

    async def _last_iteration(self, run: str, name: str) -> int:
        """Returns the last iteration that made briefs; `name` is that of the gate's last decision."""
        if (run, name) not in self._last_iterations:
            decision = await self._artifacts.get(pb.Iteration, run, name)
            continued = decision.decision == pb.DECISION_CONTINUE
            self._last_iterations[run, name] = decision.index if continued else decision.index - 1
        return self._last_iterations[run, name]

    async def _evaluation(self, run: str, name: str) -> pb.Evaluation:
        """Returns an evaluation without its results per task."""
        if (run, name) not in self._evaluations:
            evaluation = await self._artifacts.get(pb.Evaluation, run, name)
            for score in evaluation.scores:
                del score.per_task[:]
            self._evaluations[run, name] = evaluation
        return self._evaluations[run, name]


def state_name(state: runs_pb2.RunState.ValueType) -> str:
    """Returns running, succeeded, failed or cancelled."""
    return runs_pb2.RunState.Name(state).removeprefix("RUN_STATE_").lower()
