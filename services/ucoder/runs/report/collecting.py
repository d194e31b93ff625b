"""The report as plain data, gathered from the run's artefacts. Rates are fractions."""

from typing import Any

import yaml

from ucoder.core.pass_at_k import paired_bootstrap
from ucoder.runs import run_config as run_config
from ucoder.runs.collapse_history import signs_of_run
from ucoder.runs.report.stages import refusals, stages
from ucoder.runs.report.timing import timeline
from ucoder.runtime.storage.artifacts import Artifacts
from ucoder.v1 import artifacts_pb2 as pb


async def collect(artifacts: Artifacts, run: str) -> dict[str, Any]:
    """Everything the report says; NotFound when the run has not even measured its base."""
    source = await artifacts.get(pb.Run, run, "000")
    base = await artifacts.get(pb.Evaluation, run, "000")
    names = await artifacts.names(run, "evaluation")
    line = [name for name in names if name != "000" and "-" not in name]
    last = [await artifacts.get(pb.Iteration, run, name) for name in await artifacts.names(run, "iteration")][-1]
    report: dict[str, Any] = {
        "run": run,
        "config": yaml.safe_load(run_config.dump(source.config)),
        "base": scores_of(base),
        "iterations": [await _iteration(artifacts, source, name, base) for name in line],
        "control": None,
        "decision": pb.Decision.Name(last.decision).removeprefix("DECISION_").lower(),
        "reason": last.reason,
        "best_iteration": last.served.checkpoint.iteration,
        "best_checkpoint": last.served.checkpoint.path,
    }
    if "001-control" in names:
        report["control"] = await _iteration(artifacts, source, "001-control", base)
    evaluations = [await artifacts.get(pb.Evaluation, run, name) for name in ("000", *line)]
    report["signs"] = await signs_of_run(artifacts, run, dict(enumerate(evaluations)))
    report["refused"] = await refusals(artifacts, run)
    report["timeline"] = await timeline(artifacts, run)
    report["seconds"] = max(span["end"] for span in report["timeline"])
    return report


async def _iteration(artifacts: Artifacts, run: pb.Run, name: str, base: pb.Evaluation) -> dict[str, Any]:
    evaluation = await artifacts.get(pb.Evaluation, run.id, name)
    dataset = await artifacts.get(pb.Dataset, run.id, name)
    checkpoint = evaluation.served.checkpoint
    gain, _ = paired_bootstrap(_per_task(evaluation), _per_task(base))
    return {
        "index": dataset.iteration,
        **scores_of(evaluation),
        "gain": {"value": gain.mean, "ci_low": gain.low, "ci_high": gain.high},
        "briefs": dataset.briefs,
        "selected": dataset.selected,
        "abstained": dataset.abstained,
        "dropped": dict(sorted(dataset.dropped.items())),
        "rows": dataset.rows,
        "validation_rows": dataset.validation,
        "left_out": dict(sorted(dataset.left_out.items())),
        "maintainability": dataset.maintainability,
        "documentation": dataset.documentation,
        "selection_precision": evaluation.selection_precision if evaluation.HasField("selection_precision") else None,
        "labelled": evaluation.labelled,
        "cluster_shares": [round(share, 4) for share in dataset.cluster_shares],
        "cluster_entropy_bits": dataset.cluster_entropy_bits,
        "problem_entropy_bits": dataset.problem_entropy_bits,
        "node_types": dataset.node_types,
        **stages(dataset, run.config.candidates.n),
        "training": {
            "examples": checkpoint.training.examples,
            "steps": checkpoint.training.steps,
            "first_loss": checkpoint.training.first_loss,
            "last_loss": checkpoint.training.last_loss,
            "losses": [round(loss, 5) for loss in checkpoint.training.losses],
            "validation": [{"step": one.step, "loss": round(one.loss, 5)} for one in checkpoint.training.validation],
            "kept_step": checkpoint.training.kept_step,
            "ended": checkpoint.training.ended,
            "device": checkpoint.training.device,
        },
        "dataset": dataset.key,
        "checkpoint": checkpoint.path,
        "seconds": {"training": checkpoint.training.seconds, "evaluation": evaluation.seconds},
    }


def scores_of(evaluation: pb.Evaluation) -> dict[str, Any]:
    """The scores by name: `pass_at_1` is that of the benchmark at the sampling temperature."""
    found = {(score.tasks, score.metric): score for score in evaluation.scores}
    main = found["benchmark", "pass_at_1"]
    scores: dict[str, Any] = {
        "pass_at_1": main.value,
        "ci_low": main.low,
        "ci_high": main.high,
        "tasks": main.task_count,
        "samples_per_task": main.samples_per_task,
        "entropy_bits": evaluation.entropy_bits,
        "distinct": evaluation.distinct,
    }
    for (tasks, metric), score in found.items():
        if (tasks, metric) == ("benchmark", "pass_at_1"):
            continue
        key = metric if tasks == "benchmark" else f"{tasks.removeprefix('benchmark.').replace('.', '_')}_{metric}"
        scores[key] = score.value
    return scores


def _per_task(evaluation: pb.Evaluation) -> list[float]:
    return next(list(s.per_task) for s in evaluation.scores if s.tasks == "benchmark" and s.metric == "pass_at_1")
