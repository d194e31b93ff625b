"""`ucoder solve`: samples many programs for one task and returns the best one, with its evidence."""

import asyncio
import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table
from typer import Argument, Option

from ucoder.cli.shared import options
from ucoder.cli.shared.embedded_services import consensus_service
from ucoder.cli.shared.test_files import read_tests
from ucoder.client import Answer, AsyncClient
from ucoder.core.extraction import extract_program
from ucoder.core.input_synthesis import entry_point_of
from ucoder.errors import Misconfigured, Retry
from ucoder.models import Completion, Model, SamplingParameters, open_model
from ucoder.runtime.atomic import write_text
from ucoder.runtime.settings import load

PROGRAMS_PER_REQUEST = 16
"""Few enough that the progress is seen and a server can batch requests, many enough that they cost little."""
SHOWN = 3
"""Clusters and disagreements that are printed."""


async def solve(
    task: Annotated[Path, Argument(metavar="FILE", help="The task: prose, or a Python skeleton to complete.")],
    model: Annotated[str, Option(help="OpenAI-compatible server, such as http://127.0.0.1:8000/v1.")],
    tests: Annotated[Path | None, Option(help="Your own tests: asserts, pytest functions or unittest.")] = None,
    out: Annotated[Path | None, Option("-o", "--out", help="File for the program. Default: stdout.")] = None,
    name: options.ModelNameFlag = None,
    n: Annotated[int, Option("-n", min=1, max=10_000, help="Programs to sample.")] = 128,
    temperature: Annotated[float, Option(min=0, max=2, help="Sampling temperature.")] = 0.8,
    max_tokens: Annotated[int, Option(min=1, help="Most tokens of one program.")] = 1024,
    min_confidence: options.MinConfidenceFlag = 0.0,
    seed: Annotated[int, Option(min=0, help="Seed of sampling and of synthesised inputs.")] = 0,
    consensus: options.ConsensusFlag = None,
    token_file: options.ConsensusTokenFlag = None,
    isolation: options.IsolationFlag = None,
    cells: options.CellsFlag = None,
    as_json: options.JsonFlag = False,
) -> None:
    """Asks a model for many programs for a task, runs them on your tests, and returns the best one with its evidence.

    Without --tests the inputs are synthesised from the types and examples of the skeleton. The program goes to --out
    or stdout, the evidence to stderr. Ends with code 1 when it abstains.

    Example: `ucoder solve task.py --tests tests.py --model http://127.0.0.1:8000/v1 -o best.py`
    """
    try:
        text = task.read_text()
    except (OSError, UnicodeDecodeError) as error:
        raise Misconfigured(f"{task}: {getattr(error, 'strerror', None) or error}.") from None
    if out and not out.parent.is_dir():
        raise Misconfigured(f"-o {out}: the folder does not exist.")
    own_tests = read_tests(tests) if tests else []
    skeleton = text if entry_point_of(text) else ""
    console = Console(stderr=True)
    server = open_model(load(model_url=model))
    sampling = SamplingParameters(temperature=temperature, top_p=1.0, max_tokens=max_tokens)
    try:
        async with consensus_service(consensus, isolation, cells) as address:
            columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
            with Progress(*columns, console=console, transient=True) as progress:
                completions = await _sample(server, name, prompt_of(text, skeleton), n, sampling, seed, progress)
                programs = [extract_program(one.text, skeleton, entry_point_of(skeleton)) for one in completions]
                async with AsyncClient(address, token=options.read_token(token_file)) as client:
                    executing = progress.add_task("executing", total=n)
                    async for answer in client.select_stream(
                        programs, own_tests, entry_point=entry_point_of(text, programs, own_tests), prompt=text,
                        mean_log_probs=[one.mean_log_prob for one in completions],
                        min_confidence=min_confidence, seed=seed,
                    ):  # fmt: skip
                        progress.update(executing, completed=answer.finished)
    finally:
        await server.close()
    if as_json:
        print(json.dumps(asdict(answer)))
    else:
        _print_evidence(console, answer, n)
    if answer.program is None:
        raise Retry(f"abstained: {answer.verdict.reason}; the evidence is above.")
    if out:
        write_text(out, answer.program)
    elif not as_json:
        print(answer.program, end="" if answer.program.endswith("\n") else "\n")


def prompt_of(text: str, skeleton: str) -> str:
    """Returns what the model continues: a skeleton as it is; after prose, the opening of a code block."""
    return skeleton or f"{text.strip()}\n\nThe solution in Python, one function, without examples:\n\n```python\n"


async def _sample(
    server: Model, name: str | None, prompt: str, n: int, sampling: SamplingParameters, seed: int, progress: Progress
) -> list[Completion]:
    """Returns `n` completions. Several requests run at once."""
    served = [name] if name else await server.served()
    if not served:
        raise Misconfigured("--model: the server lists no model; give --name.")
    bar = progress.add_task(f"sampling {served[0]}", total=n)

    async def request(first: int) -> list[Completion]:
        size, stop = min(PROGRAMS_PER_REQUEST, n - first), ("\n```",)
        found = await server.complete(served[0], prompt, n=size, sampling=sampling, stop=stop, seed=seed + first)
        progress.advance(bar, size)
        return found

    parts = await asyncio.gather(*(request(first) for first in range(0, n, PROGRAMS_PER_REQUEST)))
    return [completion for part in parts for completion in part]


def _print_evidence(console: Console, answer: Answer, n: int) -> None:
    """Prints the clusters, the inputs on which they disagree, and the cost."""
    verdict, cost = answer.verdict, answer.cost
    chosen = "abstained" if verdict.abstained else f"program {verdict.selected}"
    title = f"{chosen} of {n} · confidence {verdict.confidence:.0%} · margin {verdict.margin:.0%}"
    table = Table("cluster", "programs", "share", f"passes of {len(answer.tests)}", title=title, title_justify="left")
    for number, cluster in enumerate(verdict.clusters[:SHOWN]):
        table.add_row("ABC"[number], str(len(cluster.members)), f"{cluster.share:.0%}", str(cluster.passed))
    console.print(table)
    for disagreement in verdict.disagreements[:SHOWN]:
        named = zip("ABC", disagreement.outputs, strict=False)
        outputs = ", ".join(f"{name} says {_short(output)}" for name, output in named)
        console.print(f"on {_short(disagreement.input)}: {outputs}", highlight=False, markup=False)
    ended = {"settled": ", the rest could not change it", "partial": ", the time was up"}.get(answer.stopped, "")
    console.print(
        f"{cost.programs} programs run, {cost.duplicates} were duplicates, {answer.finished} of {n} finished{ended}; "
        f"{cost.execution_seconds:.1f} s executing, {cost.selection_seconds:.2f} s selecting",
        highlight=False,
    )


def _short(text: str) -> str:
    """Returns a text in one line of at most 100 characters."""
    line = " ".join(text.split())
    return line if len(line) <= 100 else line[:97] + "..."
