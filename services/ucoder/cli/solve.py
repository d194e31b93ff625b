"""`ucoder solve`: one task, its team's own tests, many sampled programs, the best one out with its evidence."""

import asyncio
import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from ucoder.cli.serve_proxy import token_of
from ucoder.cli.shared.embedded_services import consensus_at
from ucoder.cli.shared.test_files import read_tests
from ucoder.client import Answer, AsyncClient
from ucoder.core.extraction import extract_program
from ucoder.core.input_synthesis import entry_point_of
from ucoder.errors import Misconfigured, Retry
from ucoder.models import Completion, Model, SamplingParameters, open_model
from ucoder.runtime.atomic import write_text
from ucoder.runtime.settings import load

PORTION = 16
"""Programs of one request, so that progress is seen and a server can batch them with others."""
SHOWN = 3  # clusters and disagreements


async def main(
    task: Path,
    *,
    model: str,
    tests: Path | None,
    out: Path | None,
    name: str | None,
    n: int,
    temperature: float,
    max_tokens: int,
    min_confidence: float,
    seed: int,
    consensus: str | None,
    token_file: Path | None,
    isolation: str | None,
    cells: int | None,
    as_json: bool,
) -> None:
    """Writes the program to `out` or stdout, the evidence to stderr. Retry (code 1) when it abstains."""
    try:
        text = task.read_text()
    except (OSError, UnicodeDecodeError) as error:
        raise Misconfigured(f"{task}: {getattr(error, 'strerror', None) or error}.") from None
    if out and not out.parent.is_dir():
        raise Misconfigured(f"-o {out}: the folder does not exist.")
    own = read_tests(tests) if tests else []
    skeleton = text if entry_point_of(text) else ""
    console = Console(stderr=True)
    server = open_model(load(model_url=model))
    draw = SamplingParameters(temperature=temperature, top_p=1.0, max_tokens=max_tokens)
    try:
        async with consensus_at(consensus, isolation, cells) as address:
            with _progress(console) as progress:
                written = await _sample(server, name, asked(text, skeleton), n, draw, seed, progress)
                programs = [extract_program(one.text, skeleton, entry_point_of(skeleton)) for one in written]
                async with AsyncClient(address, token=token_of(token_file)) as client:
                    executing = progress.add_task("executing", total=n)
                    async for answer in client.select_stream(
                        programs, own, entry_point=entry_point_of(text, programs, own), prompt=text,
                        mean_log_probs=[one.mean_log_prob for one in written],
                        min_confidence=min_confidence, seed=seed,
                    ):  # fmt: skip
                        progress.update(executing, completed=answer.finished)
    finally:
        await server.close()
    if as_json:
        print(json.dumps(asdict(answer)))
    else:
        _show(console, answer, n)
    if answer.program is None:
        raise Retry(f"abstained: {answer.verdict.reason}; the evidence is above.")
    if out:
        write_text(out, answer.program)
    elif not as_json:
        print(answer.program, end="" if answer.program.endswith("\n") else "\n")


def asked(text: str, skeleton: str) -> str:
    """What the model continues: a skeleton as it is; words, up to where their program begins."""
    return skeleton or f"{text.strip()}\n\nThe solution in Python, one function, without examples:\n\n```python\n"


async def _sample(
    server: Model, name: str | None, prompt: str, n: int, draw: SamplingParameters, seed: int, progress: Progress
) -> list[Completion]:
    """`n` completions, in portions side by side."""
    served = [name] if name else await server.served()
    if not served:
        raise Misconfigured("--model: the server lists no model; give --name.")
    sampling = progress.add_task(f"sampling {served[0]}", total=n)

    async def portion(first: int) -> list[Completion]:
        size = min(PORTION, n - first)
        some = await server.complete(served[0], prompt, n=size, sampling=draw, stop=("\n```",), seed=seed + first)
        progress.advance(sampling, size)
        return some

    portions = await asyncio.gather(*(portion(first) for first in range(0, n, PORTION)))
    return [completion for some in portions for completion in some]


def _progress(console: Console) -> Progress:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    return Progress(*columns, console=console, transient=True)


def _show(console: Console, answer: Answer, n: int) -> None:
    """The evidence: clusters, what they disagree on, and what it took."""
    verdict, cost = answer.verdict, answer.cost
    chosen = "abstained" if verdict.abstained else f"program {verdict.selected}"
    words = f"{chosen} of {n} · confidence {verdict.confidence:.0%} · margin {verdict.margin:.0%}"
    table = Table("cluster", "programs", "share", f"passes of {len(answer.tests)}", title=words, title_justify="left")
    for number, cluster in enumerate(verdict.clusters[:SHOWN]):
        table.add_row("ABC"[number], str(len(cluster.members)), f"{cluster.share:.0%}", str(cluster.passed))
    console.print(table)
    for one in verdict.disagreements[:SHOWN]:
        said = _answers(one.outputs[:SHOWN])
        console.print(f"on {_short(one.input)}: {said}", highlight=False, markup=False)
    ended = {"settled": ", the rest could not change it", "partial": ", the time was up"}.get(answer.stopped, "")
    console.print(
        f"{cost.programs} programs run, {cost.duplicates} were duplicates, {answer.finished} of {n} finished{ended}; "
        f"{cost.execution_seconds:.1f} s executing, {cost.selection_seconds:.2f} s selecting",
        highlight=False,
    )


def _answers(outputs: Sequence[str]) -> str:
    return ", ".join(f"{letter} says {_short(output)}" for letter, output in zip("ABC", outputs, strict=False))


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= 100 else line[:97] + "..."
