"""Who is measured: a file of samples, or a model."""

import contextlib
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from ucoder.cli.shared.sample_files import SampleLine, read_samples
from ucoder.errors import Misconfigured
from ucoder.evaluator.answer_judging import AnswerJudge
from ucoder.evaluator.answers import Answers
from ucoder.evaluator.benchmarks import BenchmarkTask, load
from ucoder.evaluator.model_answers import asked
from ucoder.evaluator.sample_judging import judged, programs_of
from ucoder.models import Model, SamplingParameters, open_model
from ucoder.runs.run_to_checkpoint import base_path
from ucoder.runtime.settings import Settings

URLS = ("http://", "https://")


@dataclass(frozen=True, slots=True)
class Benchmark:
    """A benchmark's tasks under its format's name."""

    format: str
    tasks: tuple[BenchmarkTask, ...]

    @classmethod
    def load(cls, format: str, data: str | None) -> "Benchmark":
        """`seed` ships with ucoder; any other needs its file. Misconfigured names file and line."""
        if data is None and format != "seed":
            raise Misconfigured(f"--benchmark {format} needs its file (--data FILE); only `seed` ships with ucoder.")
        return cls(format, load("seed") if data is None else load(data, format if format != "seed" else ""))


@dataclass(frozen=True, slots=True)
class Asking:
    """How a model is asked: so many samples at this temperature, and once greedily. 0 asks greedily alone."""

    profile: str
    n: int
    draw: SamplingParameters


def profile_of(name: str) -> str:
    """The prompt profile of a model that none is named for: `seed` for what speaks the seed's grammar, else `base`."""
    shipped, own = (Path(base_path(one)) / "tokenizer.json" if one[:4] != "http" else None for one in ("seed", name))
    same = shipped and own and own.is_file() and own.read_bytes() == shipped.read_bytes()
    return "seed" if same else "base"


async def of_samples(
    judge: AnswerJudge, benchmark: Benchmark, path: Path, lines: Sequence[SampleLine], *, sanitize: bool = False
) -> list[Answers]:
    """The answers of a file's lines, in the order of the tasks."""
    samples = [sample for line in lines for sample in line.samples]
    programs = programs_of(benchmark.tasks, samples, sanitize=sanitize)
    return await _gathered(judged(judge, benchmark.tasks, programs), benchmark, path.name)


async def of_model(
    settings: Settings, judge: AnswerJudge, benchmark: Benchmark, name: str, how: Asking
) -> list[Answers]:
    """The answers of `seed`, a model folder, what UCODER_MODEL_URL serves, or URL[#NAME]; in the order of the tasks."""
    url, _, served = name.partition("#") if name.startswith(URLS) else (settings.model_url, "", base_path(name))
    model = open_model(settings.model_copy(update={"model_url": url}))
    try:
        served = served or await _only(model, url)
        await model.serve(served)
        samples = how.n if how.draw.temperature else 0
        coming = asked(model, judge, benchmark.tasks, served, how.profile, how.draw, samples=samples)
        answers = await _gathered(coming, benchmark, name)
    finally:
        await model.close()
    return answers if samples else [replace(one, sampled=one.greedy, greedy=[]) for one in answers]


def samples_of(path: Path, benchmarks: Sequence[Benchmark]) -> list[list[SampleLine]]:
    """The lines of a file that belong to each benchmark: none, or some for every task. Misconfigured otherwise."""
    places = {task.task_id: at for at, benchmark in enumerate(benchmarks) for task in benchmark.tasks}
    found: list[list[SampleLine]] = [[] for _ in benchmarks]
    for line in read_samples(path, places):
        found[places[line.samples[0].task_id]].append(line)
    for benchmark, lines in zip(benchmarks, found, strict=True):
        answered = {line.samples[0].task_id for line in lines}
        missing = [task.task_id for task in benchmark.tasks if task.task_id not in answered]
        if lines and missing:
            raise Misconfigured(
                f"{path}: {len(missing)} of {len(benchmark.tasks)} tasks of {benchmark.format} have no sample, "
                f"the first is {missing[0]}."
            )
    return found


async def _only(model: Model, url: str) -> str:
    names = await model.served()
    if len(names) != 1:
        raise Misconfigured(f"{url} serves {', '.join(names) or 'nothing'}: name one as {url}#NAME.")
    return names[0]


async def _gathered(coming: AsyncGenerator[Answers], benchmark: Benchmark, name: str) -> list[Answers]:
    """All answers behind a progress bar."""
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    found: dict[str, Answers] = {}
    with Progress(*columns, TimeRemainingColumn(), console=console, disable=not console.is_terminal) as progress:
        bar = progress.add_task(f"{benchmark.format} {name}", total=len(benchmark.tasks))
        async with contextlib.aclosing(coming):
            async for one in coming:
                found[one.task.task_id] = one
                progress.advance(bar)
    return [found[task.task_id] for task in benchmark.tasks]
