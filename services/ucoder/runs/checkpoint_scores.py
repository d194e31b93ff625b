"""The label of a checkpoint for people, and the lookup of its scores."""

from collections.abc import Iterable

from ucoder.v1 import artifacts_pb2 as pb


def checkpoint_label(checkpoint: pb.Checkpoint) -> str:
    """Returns `base`, `control` or `iteration N`."""
    if checkpoint.variant == pb.VARIANT_CONTROL:
        return "control"
    return f"iteration {checkpoint.iteration}" if checkpoint.iteration else "base"


def pass_at_1(evaluation: pb.Evaluation, tasks: str) -> pb.Score | None:
    """Returns the pass@1 score on `tasks` (benchmark or dev), or None where the evaluation has none."""
    return next((s for s in evaluation.scores if (s.tasks, s.metric) == (tasks, "pass_at_1")), None)


def loop_evaluations(evaluations: Iterable[pb.Evaluation]) -> dict[int, pb.Evaluation]:
    """Returns the evaluations of the loop's own checkpoints by iteration; the control is left out."""
    own = [one for one in evaluations if one.served.checkpoint.variant == pb.VARIANT_LOOP]
    return {one.served.checkpoint.iteration: one for one in own}
