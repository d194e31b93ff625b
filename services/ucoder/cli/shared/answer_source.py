"""The answers that `ucoder evaluate` and `ucoder compare` score: those of a samples file, or those of a model."""

import sys
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

from ucoder.cli.shared.progress_bar import progress_bar
from ucoder.cli.shared.sample_files import SampleLine, read_samples
from ucoder.errors import Misconfigured
from ucoder.evaluator.answer_judging import AnswerJudge
from ucoder.evaluator.benchmarks import BenchmarkTask, load_benchmark
from ucoder.evaluator.task_answers import ModelSampling, TaskAnswers, in_order, judge_programs, programs_of_samples
from ucoder.models import SamplingParameters, open_model
from ucoder.runs import run_config
from ucoder.runs.run_to_checkpoint import base_path
from ucoder.runtime.settings import load
from ucoder.sandbox_runner.sandbox import Sandbox
from ucoder.sandbox_runner.service import Service
from ucoder.v1 import artifacts_pb2 as pb
from ucoder.v1 import evaluator_pb2

URLS = ("http://", "https://")


class AnswerLog(Protocol):
    """The keeper of a model's samples (`sample_log`)."""

    @property
    def known(self) -> dict[str, list[evaluator_pb2.Sample]]: ...
    def write(self, answer: TaskAnswers) -> None: ...


@dataclass(frozen=True, slots=True)
class Benchmark:
    """The tasks of a benchmark under the name of its format."""

    format: str
    tasks: tuple[BenchmarkTask, ...]

    @classmethod
    def load(cls, format: str, data: str | None) -> "Benchmark":
        """Loads `seed`, which ships with ucoder, or a benchmark's file. Misconfigured names the file and the line."""
        if data is None and format != "seed":
            raise Misconfigured(f"--benchmark {format} needs its file (--data FILE); only `seed` ships with ucoder.")
        return cls(format, load_benchmark("seed" if data is None else data, "" if format == "seed" else format))


def default_profile(model: str) -> str:
    """Returns the prompt profile of a model: `seed` where it has the tokenizer of the shipped model, else `base`."""
    if model.startswith(URLS):
        return "base"
    shipped, own = (Path(base_path(name)) / "tokenizer.json" for name in ("seed", model))
    return "seed" if own.is_file() and own.read_bytes() == shipped.read_bytes() else "base"


def judge_in(sandbox: Sandbox) -> AnswerJudge:
    """Returns a judge that runs programs in a sandbox of this process."""
    service = Service(sandbox)
    return AnswerJudge(lambda request: service.Execute(request, None))


def warn_of_broken_references(judge: AnswerJudge) -> None:
    """Prints on standard error which tasks cannot be judged here, because their own reference fails."""
    if judge.broken:
        first = min(judge.broken)
        reason = " ".join(judge.broken[first].split())[-200:]
        print(
            f"ucoder: warning: the references of {len(judge.broken)} tasks fail their own tests here, for example "
            f"{first} ({reason}). Either packages are missing (--packages), or their tests need a network, which the "
            "sandbox does not give.",
            file=sys.stderr,
        )


async def judge_samples(
    judge: AnswerJudge, benchmark: Benchmark, path: Path, lines: Sequence[SampleLine], *, sanitize: bool = False
) -> list[TaskAnswers]:
    """Judges the samples of a file. Returns one `TaskAnswers` for each task, in the order of the tasks."""
    samples = [sample for line in lines for sample in line.samples]
    programs = programs_of_samples(benchmark.tasks, samples, sanitize=sanitize)
    return await _with_progress(judge_programs(judge, benchmark.tasks, programs), benchmark, path.name)


async def ask_model(
    judge: AnswerJudge,
    benchmark: Benchmark,
    name: str,
    profile: str | None,
    n: int,
    temperature: float | None,
    log: AnswerLog | None = None,
) -> list[TaskAnswers]:
    """Asks a model every task and judges its answers. Returns one `TaskAnswers` a task, in the order of the tasks.

    name: `seed`, a model folder, the name of a model that UCODER_MODEL_URL serves, or URL[#NAME]. profile: prompts,
    None for those of the model. n: samples of each task. temperature: 0 asks for one greedy answer instead, None takes
    the default of a run. log: knows the samples of an earlier call, and is told every answer as it comes.
    """
    profile = profile or default_profile(name)
    config = run_config.load(preset="demo" if profile == "seed" else None).evaluation
    sampling = SamplingParameters.of(config.sampling, temperature=temperature)
    samples = n if sampling.temperature else 0
    settings = load()
    url, _, served = name.partition("#") if name.startswith(URLS) else (settings.model_url, "", base_path(name))
    model = open_model(settings.model_copy(update={"model_url": url}))
    try:
        if not served:
            names = await model.served()
            if len(names) != 1:
                raise Misconfigured(f"{url} serves {', '.join(names) or 'no model'}: name one as {url}#NAME.")
            served = names[0]
        await model.serve(served)
        questions = ModelSampling(model=model, name=served, profile=profile, sampling=sampling, samples=samples)
        known = log.known if log else {}
        given = [task for task in benchmark.tasks if task.task_id in known]
        programs = programs_of_samples(given, [sample for task in given for sample in known[task.task_id]])
        asked = questions.answers(judge, benchmark.tasks, frozenset(known))

        async def all_answers() -> AsyncGenerator[TaskAnswers]:
            async for answer in judge_programs(judge, given, programs):
                yield answer
            async for answer in asked:
                answer = answer if samples else replace(answer, sampled=answer.greedy, greedy=[])
                if log:
                    log.write(answer)
                yield answer

        return await _with_progress(all_answers(), benchmark, name)
    finally:
        await model.close()


def samples_by_benchmark(path: Path, benchmarks: Sequence[Benchmark]) -> list[list[SampleLine]]:
    """Sorts the lines of a samples file by benchmark. A benchmark has no line, or at least one for each of its tasks;
    Misconfigured otherwise.
    """
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


def metric_label(score: pb.Score) -> str:
    """Returns the usual name of a score's metric: `pass@1` for `pass_at_1`."""
    return score.metric.replace("_at_", "@")


def score_values(scores: Sequence[pb.Score], benchmark: str) -> dict[str, object]:
    """Returns the scores of the whole benchmark by metric, as fractions, and under `parts` those of each part."""
    whole: dict[str, object] = {}
    parts: dict[str, dict[str, float]] = {}
    for score in scores:
        part = score.tasks.removeprefix(benchmark).removeprefix(".")
        (parts.setdefault(part, {}) if part else whole)[metric_label(score)] = score.value
    return whole | ({"parts": parts} if parts else {})


async def _with_progress(answers: AsyncGenerator[TaskAnswers], benchmark: Benchmark, name: str) -> list[TaskAnswers]:
    """Collects answers behind a progress bar and returns them in the order of the tasks."""
    with progress_bar(f"{benchmark.format} {name}:", len(benchmark.tasks), "tasks") as advance:
        return await in_order(answers, benchmark.tasks, lambda _: advance())
