"""The arrow evaluation -> iteration: asks the promotion gate (core/promotion_gate.py) what comes next.

Every evaluation triggers it; the gate decides on all evaluations of the run so far.
"""

from ucoder.core.promotion_gate import GateAction, next_step
from ucoder.runs.checkpoint_scores import loop_evaluations, pass_at_1
from ucoder.runs.collapse_history import collapse_history, collapses_of
from ucoder.runs.service import Service
from ucoder.v1 import artifacts_pb2 as pb


async def run(service: Service, evaluation: pb.Evaluation, run: pb.Run) -> pb.Iteration | None:
    """Returns the next iteration, or the end of the run; None while an evaluation that the gate needs is missing."""
    names = await service.artifacts.names(run.id, "evaluation")
    evaluations = [await service.artifacts.get(pb.Evaluation, run.id, name) for name in names]
    own = loop_evaluations(evaluations)
    decision = next_step(
        {index: dev_score(one) for index, one in own.items()},
        collapses_of(run, await collapse_history(service.artifacts, run.id, own)),
        control_missing=run.config.loop.control and len(own) == len(evaluations),
        iterations=run.config.loop.iterations,
        min_gain=run.config.gate.min_gain,
        patience=run.config.gate.patience,
    )
    if decision.action is GateAction.WAIT:
        return None
    return pb.Iteration(
        run=run.id,
        index=len(own),
        decision=pb.Decision.Value(f"DECISION_{decision.action.name}"),
        reason=decision.reason,
        served=own[decision.best].served,
    )


def dev_score(evaluation: pb.Evaluation) -> float:
    """Returns pass@1 on the dev split, a fraction. Raises ValueError when the evaluation has none."""
    score = pass_at_1(evaluation, "dev")
    if score is None:
        raise ValueError("the evaluation has no pass@1 on the dev split, which the promotion gate decides on")
    return score.value
