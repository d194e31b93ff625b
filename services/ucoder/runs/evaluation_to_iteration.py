"""evaluation -> iteration: the promotion gate. Each evaluation is an occasion; the decision looks at all of them."""

from ucoder.core.promotion_gate import next_step
from ucoder.runs.collapse_history import collapses, signs_of_run
from ucoder.runs.service import Service
from ucoder.v1 import artifacts_pb2 as pb

DECISIONS = {"continue": pb.DECISION_CONTINUE, "stop": pb.DECISION_STOP, "roll_back": pb.DECISION_ROLL_BACK}


async def run(service: Service, evaluation: pb.Evaluation, run: pb.Run) -> pb.Iteration | None:
    """The next iteration, the end, or None while an evaluation that matters is missing."""
    names = await service.artifacts.names(run.id, "evaluation")
    found = [await service.artifacts.get(pb.Evaluation, run.id, name) for name in names]
    line = {e.served.checkpoint.iteration: e for e in found if e.served.checkpoint.variant == pb.VARIANT_LOOP}
    step = next_step(
        {index: dev_score(one) for index, one in line.items()},
        collapses(run, await signs_of_run(service.artifacts, run.id, line)),
        control_missing=run.config.loop.control and len(line) == len(found),
        iterations=run.config.loop.iterations,
        min_gain=run.config.gate.min_gain,
        patience=run.config.gate.patience,
    )
    if step.action == "wait":
        return None
    return pb.Iteration(
        run=run.id,
        index=len(line),
        decision=DECISIONS[step.action],
        reason=step.reason,
        served=line[step.best].served,
    )


def dev_score(evaluation: pb.Evaluation) -> float:
    """pass@1 on the dev split."""
    return next(s.value for s in evaluation.scores if s.tasks == "dev" and s.metric == "pass_at_1")
