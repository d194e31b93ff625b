"""Collects the data of the report from the run's artefacts: plain data for report.json. Rates are fractions."""

import json
from collections import Counter
from typing import Any

import yaml
from google.protobuf.message import Message

from ucoder.core.drop_reasons import DropReason
from ucoder.core.pass_at_k import paired_bootstrap
from ucoder.flow import KINDS
from ucoder.runs import run_config
from ucoder.runs.checkpoint_scores import pass_at_1
from ucoder.runs.collapse_history import collapse_history
from ucoder.runs.report.theorem_bounds import theorem_bounds
from ucoder.runtime.messaging import ledger
from ucoder.runtime.storage.artifacts import SUFFIX, Artifacts
from ucoder.v1 import artifacts_pb2 as pb

INSTANT_KINDS = ("run", "brief", "iteration", "served_model")
"""Kinds of artefact that are made in an instant, so the timeline leaves them out."""
STARTS_WITH = {
    "problem": "brief", "tests": "brief", "candidates": "brief", "matrix": "brief", "consensus": "brief",
    "checkpoint": "dataset", "evaluation": "served_model",
}  # fmt: skip
"""Kind of artefact -> the kind whose first artefact lets its stage begin."""


async def collect(artifacts: Artifacts, run: str) -> dict[str, Any]:
    """Returns everything that the report says. Raises NotFound when the run has not evaluated its base model."""
    source = await artifacts.get(pb.Run, run, "000")
    base = await artifacts.get(pb.Evaluation, run, "000")
    names = await artifacts.names(run, "evaluation")
    loop_names = [name for name in names if name != "000" and "-" not in name]
    last = await artifacts.get(pb.Iteration, run, (await artifacts.names(run, "iteration"))[-1])
    iterations = [await _iteration(artifacts, source, name, base) for name in loop_names]
    for iteration in iterations:
        iteration["theorem"] = await theorem_bounds(artifacts, run, iteration["index"])
    control = await _iteration(artifacts, source, "001-control", base) if "001-control" in names else None
    evaluations = [await artifacts.get(pb.Evaluation, run, name) for name in ("000", *loop_names)]
    timeline = await _timeline(artifacts, run)
    return {
        "run": run,
        "config": yaml.safe_load(run_config.dump(source.config)),
        "base": _scores(base),
        "iterations": iterations,
        "control": control,
        "decision": pb.Decision.Name(last.decision).removeprefix("DECISION_").lower(),
        "reason": last.reason,
        "best_iteration": last.served.checkpoint.iteration,
        "best_checkpoint": last.served.checkpoint.path,
        "signs": await collapse_history(artifacts, run, dict(enumerate(evaluations))),
        "refused": await _refused_problems(artifacts, run),
        "timeline": timeline,
        "seconds": max(span["end"] for span in timeline),
    }


async def _iteration(artifacts: Artifacts, run: pb.Run, name: str, base: pb.Evaluation) -> dict[str, Any]:
    """Returns what one iteration made, or the control: its scores, briefs, dataset and training."""
    evaluation = await artifacts.get(pb.Evaluation, run.id, name)
    dataset = await artifacts.get(pb.Dataset, run.id, name)
    training = evaluation.served.checkpoint.training
    gain, _ = paired_bootstrap(_per_task(evaluation), _per_task(base))
    return {
        "index": dataset.iteration,
        **_scores(evaluation),
        "gain": {"value": gain.mean, "ci_low": gain.low, "ci_high": gain.high},
        **_fields(dataset, "briefs", "selected", "abstained"),
        "dropped": dict(sorted(dataset.dropped.items())),
        "rows": dataset.rows,
        "validation_rows": dataset.validation,
        "left_out": dict(sorted(dataset.left_out.items())),
        **_fields(dataset, "maintainability", "documentation"),
        "selection_precision": evaluation.selection_precision if evaluation.HasField("selection_precision") else None,
        "labelled": evaluation.labelled,
        "cluster_shares": [round(share, 4) for share in dataset.cluster_shares],
        **_fields(dataset, "cluster_entropy_bits", "problem_entropy_bits", "node_types"),
        **_sampling_and_tests(dataset, run.config.candidates.n),
        "training": {
            **_fields(training, "examples", "steps", "first_loss", "last_loss"),
            "losses": [round(loss, 5) for loss in training.losses],
            "validation": [{"step": one.step, "loss": round(one.loss, 5)} for one in training.validation],
            **_fields(training, "kept_step", "ended", "device"),
        },
        "dataset": dataset.key,
        "checkpoint": evaluation.served.checkpoint.path,
        "seconds": {"training": training.seconds, "evaluation": evaluation.seconds},
    }


def _fields(message: Message, *names: str) -> dict[str, Any]:
    """Returns fields of a message by name."""
    return {name: getattr(message, name) for name in names}


def _scores(evaluation: pb.Evaluation) -> dict[str, Any]:
    """Returns the scores by name; `pass_at_1` is that of the benchmark at the sampling temperature."""
    found = {(score.tasks, score.metric): score for score in evaluation.scores}
    main = found.pop(("benchmark", "pass_at_1"))
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
        key = metric if tasks == "benchmark" else f"{tasks.removeprefix('benchmark.').replace('.', '_')}_{metric}"
        scores[key] = score.value
    return scores


def _per_task(evaluation: pb.Evaluation) -> list[float]:
    score = pass_at_1(evaluation, "benchmark")
    return list(score.per_task) if score else []


def _sampling_and_tests(dataset: pb.Dataset, n: int) -> dict[str, Any]:
    """Returns what an iteration sampled, tested and covered; `n` is a problem's budget of programs."""
    spent = dict(dataset.ledger)
    dropped = sum(count for reason, count in dataset.dropped.items() if not reason.startswith("consensus."))
    sampled = sum(one.briefs for one in dataset.cells) - dropped
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
        "coverage": [_fields(cell, "domain", "difficulty", "briefs", "selected") for cell in dataset.cells],
        "rating_correlation": dataset.rating_correlation,
        "complexity": {"mean": dataset.complexity, "sd": dataset.complexity_sd},
        "lines": {"mean": dataset.lines, "sd": dataset.lines_sd},
    }


async def _refused_problems(artifacts: Artifacts, run: str) -> dict[str, Any]:
    """Returns the refused attempts at problems of the whole run: by reason, and known tasks by benchmark and rule."""
    reasons: Counter[str] = Counter()
    known: dict[str, list[dict[str, Any]]] = {}
    for key in await artifacts.store.keys(f"{run}/refused"):
        refusal = json.loads(await artifacts.store.get(key))
        reasons[refusal["reason"]] += 1
        if refusal["reason"] == DropReason.CONTAMINATED:
            task = {"brief": refusal["brief"], "task": refusal["task"], "rule": refusal["detail"].rsplit(" ", 1)[-1]}
            known.setdefault(refusal["benchmark"], []).append(task)
    return {"reasons": dict(reasons.most_common()), "known": known}


async def _timeline(artifacts: Artifacts, run: str) -> list[dict[str, Any]]:
    """Returns spans {stage, part, start, end} in seconds since the run was created; `part` is 000, 001, 001-control.

    A span begins when the first artefact that its stage waits for was written, and ends with the stage's own last one.
    A run that was stopped and resumed shows the pause.
    """
    written: dict[tuple[str, str], list[float]] = {}
    for kind in KINDS:
        for key, seconds in (await artifacts.store.written_times(f"{run}/{kind}")).items():
            name = key.rsplit("/", 1)[-1].removesuffix(SUFFIX)
            part = name if name.endswith("-control") else name.split("-")[0]
            written.setdefault((kind, part), []).append(seconds)
    begun = min(written["run", "000"])
    spans = []
    for (kind, part), times in written.items():
        if kind in INSTANT_KINDS or (kind == "checkpoint" and part == "000"):
            continue
        waits = written.get((STARTS_WITH.get(kind, kind), part), times)
        spans.append({"stage": kind, "part": part, "start": min(waits) - begun, "end": max(times) - begun})
    return spans
