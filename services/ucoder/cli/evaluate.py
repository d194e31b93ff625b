"""`ucoder evaluate`: pass@k of samples, or of a model, on a benchmark in its own public format."""

import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table

from ucoder.cli.execute import note, settings_of
from ucoder.cli.shared.answer_source import Asking, Benchmark, of_model, of_samples, profile_of, samples_of
from ucoder.cli.shared.question_files import writing
from ucoder.cli.shared.sample_files import results, written
from ucoder.errors import Misconfigured
from ucoder.evaluator.answer_judging import AnswerJudge
from ucoder.evaluator.answers import Answers, scores
from ucoder.models import SamplingParameters
from ucoder.runs import run_config as run_config
from ucoder.sandbox_runner.host.sandbox import Sandbox
from ucoder.sandbox_runner.service import Service
from ucoder.v1 import artifacts_pb2 as pb


async def main(
    *,
    benchmark: str,
    data: str | None,
    samples: Path | None,
    model: str | None,
    profile: str | None,
    n: int,
    temperature: float | None,
    sanitize: bool,
    out: Path | None,
    results_file: Path | None,
    isolation: str | None,
    cells: int | None,
    packages: Path | None,
    as_json: bool,
) -> None:
    """Prints the scores as tables, or as one JSON object of fractions; everything else goes to stderr."""
    if (samples is None) == (model is None):
        raise Misconfigured("give either --samples FILE or --model MODEL.")
    if out and samples:
        raise Misconfigured("--out keeps what a model wrote; with --samples there is --results.")
    settings, chosen = settings_of(isolation, cells, packages), Benchmark.load(benchmark, data)
    lines = samples_of(samples, [chosen])[0] if samples else []
    async with Sandbox.open(
        isolation=settings.isolation, cells=settings.cells, packages=settings.sandbox_packages
    ) as sandbox:
        judge, held = judge_of(sandbox), sandbox.isolation
        if samples:
            answers = await of_samples(judge, chosen, samples, lines, sanitize=sanitize)
        else:
            answers = await of_model(settings, judge, chosen, str(model), asking(str(model), profile, n, temperature))
    warn(judge)
    values = [line.value for line in lines] or list(written(benchmark, answers))
    for path, content in ((out, values), (results_file, results(values, answers))):
        if path:
            with writing(path) as write:
                for value in content:
                    write(value)
    found = scores(benchmark, answers)
    if as_json:
        print(json.dumps(fractions(found, benchmark) | note(held)))
    else:
        _show(Console(), found, answers, benchmark, held)


def judge_of(sandbox: Sandbox) -> AnswerJudge:
    """The judge before a sandbox of this process."""
    service = Service(sandbox)
    return AnswerJudge(lambda request: service.Execute(request, None))


def warn(judge: AnswerJudge) -> None:
    """Says on stderr which tasks cannot be judged here: their own reference fails."""
    if judge.broken:
        first = min(judge.broken)
        why = " ".join(judge.broken[first].split())[-200:]
        print(
            f"ucoder: warning: the references of {len(judge.broken)} tasks fail their own tests here, {first} for one "
            f"({why}): missing packages (--packages), or tests that need a network, which cells have not.",
            file=sys.stderr,
        )


def asking(model: str, profile: str | None, n: int, temperature: float | None) -> Asking:
    """How a model is asked: the defaults of a run's configuration, under what the flags say."""
    profile = profile or profile_of(model)
    sampling = run_config.load(preset="demo" if profile == "seed" else None).evaluation.sampling
    hot = sampling.temperature if temperature is None else temperature
    return Asking(profile, n, SamplingParameters(hot, sampling.top_p, sampling.max_tokens))


def fractions(found: Sequence[pb.Score], benchmark: str) -> dict[str, object]:
    """`pass@1` and its kin of the whole benchmark, and under `parts` of each part."""
    whole: dict[str, object] = {}
    parts: dict[str, dict[str, float]] = {}
    for score in found:
        part = score.tasks.removeprefix(benchmark).removeprefix(".")
        (parts.setdefault(part, {}) if part else whole)[metric(score)] = score.value
    return whole | ({"parts": parts} if parts else {})


def metric(score: pb.Score) -> str:
    """A metric by the field's name."""
    return score.metric.replace("_at_", "@")


def _show(
    console: Console, found: Sequence[pb.Score], answers: Sequence[Answers], benchmark: str, isolation: str
) -> None:
    title = f"{benchmark} (isolation: {isolation})"
    table = Table("score", "%", "95% interval", "tasks", "samples each", title=title)
    parts: dict[str, Mapping[str, pb.Score]] = {}
    for score in found:
        if score.tasks != benchmark:
            part = score.tasks.removeprefix(f"{benchmark}.")
            parts[part] = {**parts.get(part, {}), metric(score): score}
            continue
        interval = f"{100 * score.low:.1f} – {100 * score.high:.1f}"
        cells = (f"{100 * score.value:.2f}", interval, str(score.task_count), str(score.samples_per_task))
        table.add_row(metric(score), *cells)
    console.print(table)
    if parts:
        metrics = list(next(iter(parts.values())))
        table = Table("part", "tasks", *metrics, title="by part, %")
        for part, named in parts.items():
            values = (f"{100 * named[one].value:.1f}" for one in metrics if one in named)
            table.add_row(part, str(named[metrics[0]].task_count), *values)
        console.print(table)
    wrong = [one for answer in answers for one in answer.sampled if not one.right]
    timed_out = sum(one.result == "timed out" for one in wrong)
    total = sum(len(answer.sampled) for answer in answers)
    console.print(f"{total} programs: {total - len(wrong)} passed, {len(wrong)} failed ({timed_out} timed out)")
