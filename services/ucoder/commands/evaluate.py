"""`ucoder evaluate`: pass@k of samples, or of a model, on a benchmark in its own public format."""

import json
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table

from ucoder.commands.execute import settings_of
from ucoder.commands.jsonl import read
from ucoder.evaluator.benchmarks import Task, load
from ucoder.evaluator.judging import Judge
from ucoder.evaluator.measuring import measure
from ucoder.evaluator.samples import score_samples
from ucoder.models import open_model
from ucoder.runs import config as run_config
from ucoder.runs.run_to_checkpoint import base_path
from ucoder.runtime.errors import Misconfigured
from ucoder.runtime.settings import Settings
from ucoder.sandbox_runner.sandbox import Sandbox
from ucoder.sandbox_runner.service import Service
from ucoder.v1 import artifacts_pb2 as pb
from ucoder.v1 import evaluator_pb2


async def main(
    *,
    benchmark: str,
    data: Path | None,
    samples: Path | None,
    model: str | None,
    profile: str,
    isolation: str | None,
    as_json: bool,
) -> None:
    """Prints the scores as a table, or as one JSON object of fractions."""
    if (samples is None) == (model is None):
        raise Misconfigured("give either --samples FILE or --model MODEL.")
    if data is None and benchmark != "seed":
        raise Misconfigured(f"--benchmark {benchmark} needs --data FILE; only `seed` ships with ucoder.")
    tasks = load("seed") if data is None else load(str(data), "humaneval" if benchmark == "seed" else benchmark)
    settings = settings_of(isolation, None)
    async with Sandbox.open(isolation=settings.isolation, cells=settings.cells) as sandbox:
        service = Service(sandbox)
        judge = Judge(lambda request: service.Execute(request, None))
        if samples is not None:
            scores = await score_samples(judge, tasks, _read_samples(samples))
        else:
            scores = await _sample(settings, judge, tasks, str(model), profile)
        held = sandbox.isolation
    named = {s.metric if s.tasks == "benchmark" else f"{s.tasks}.{s.metric}": s for s in scores}
    if as_json:
        print(json.dumps({name: score.value for name, score in named.items()} | {"isolation": held}))
        return
    table = Table("score", "%", "95% interval", "tasks", "samples each", title=f"{benchmark} (isolation: {held})")
    for name, s in named.items():
        interval = f"{100 * s.low:.1f} – {100 * s.high:.1f}"
        table.add_row(name, f"{100 * s.value:.2f}", interval, str(s.task_count), str(s.samples_per_task))
    Console().print(table)


async def _sample(settings: Settings, judge: Judge, tasks: Sequence[Task], name: str, profile: str) -> list[pb.Score]:
    """Scores of a model under the default configuration's sampling."""
    config = run_config.load(preset="demo" if profile == "seed" else None).evaluation
    model = open_model(settings)
    try:
        name = base_path(name)
        await model.serve(name)
        measured = await measure(model, judge, tasks, name, profile, config, label="benchmark", samples=config.samples)
        return measured.scores
    finally:
        await model.close()


def _read_samples(path: Path) -> list[evaluator_pb2.Sample]:
    """Lines of `task_id` and `completion`, as the official harnesses write them."""
    found = []
    for number, value in read(path):
        try:
            found.append(evaluator_pb2.Sample(task_id=value["task_id"], completion=value["completion"]))
        except KeyError as error:
            raise Misconfigured(f"{path}:{number}: no key {error}.") from None
        except TypeError as error:
            raise Misconfigured(f"{path}:{number}: {error}.") from None
    if not found:
        raise Misconfigured(f"{path}: holds no sample.")
    return found
