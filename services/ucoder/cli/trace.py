"""`ucoder trace`: the whole history of one brief, read from the store."""

from pathlib import Path
from typing import Annotated

from rich.console import Console
from rich.syntax import Syntax
from rich.table import Table
from typer import Argument, Option

from ucoder.cli.shared.options import RUN
from ucoder.errors import Misconfigured
from ucoder.runs.brief_history import BriefHistory, brief_history, ending_name
from ucoder.runtime.settings import load
from ucoder.runtime.storage.artifacts import Artifacts
from ucoder.runtime.storage.store import Store
from ucoder.runtime.tracing import trace_id
from ucoder.v1 import artifacts_pb2 as pb

SHOWN_CLUSTERS = 5


async def trace(
    brief: Annotated[str, Argument(help="Name of a brief, e.g. 001-000042; each training row names its brief.")],
    out: Annotated[Path | None, Option(help="Folder of a run made here.")] = None,
    run: Annotated[str | None, Option(help="Id of a run in the store at UCODER_STORE_URL.")] = None,
) -> None:
    """Prints the whole history of a brief with its timings: what was asked, the tests, the clusters, why it ended so.

    Example: `ucoder trace 001-000042 --out runs/demo-1`
    """
    if out is not None and not (out / "store").is_dir():
        raise Misconfigured(f"--out {out}: this folder holds no run.")
    if out is None and run is None:
        raise Misconfigured("name the run: --out FOLDER of a run made here, or --run ID of a run in UCODER_STORE_URL.")
    settings = load(store_url=f"file://{(out / 'store').resolve()}") if out else load()
    artifacts, run = Artifacts(Store(settings)), run or RUN
    await artifacts.get(pb.Run, run, "000")  # raises Conflict for a run of another version
    history = await brief_history(artifacts, run, brief)
    console = Console()
    title = f"brief {brief}, trace {trace_id(run, brief):032x}"
    table = Table("made", "after, s", title=title, title_justify="left")
    for kind, seconds in history.seconds.items():
        table.add_row(kind, f"{seconds:.2f}")
    console.print(table)
    _print_question(console, history)
    if history.consensus:
        _print_ending(console, history.consensus)
    else:
        console.print("not ended yet")


def _print_question(console: Console, history: BriefHistory) -> None:
    """Prints what was asked for and what it became, up to the execution."""
    brief, problem, tests, matrix = history.brief, history.problem, history.tests, history.matrix
    console.print(f"asked for: {brief.domain}, difficulty {brief.difficulty}, of model {brief.model}", highlight=False)
    if problem:
        made_by = f"attempt {problem.attempts}, rated {problem.rating:g}, prompts {problem.prompts}"
        console.print(f"problem ({made_by}):")
        console.print(Syntax(problem.prompt, "python"))
    if tests:
        console.print(f"tests: {len(tests.tests)} kept, dropped {dict(tests.dropped)}")
        for test in tests.tests:
            console.print(f"  {test.count} x {test.code or test.stdin}", highlight=False, markup=False)
    if matrix:
        console.print(f"executed: {len(matrix.rows)} programs in {matrix.seconds:.2f} s under {matrix.isolation}")


def _print_ending(console: Console, ended: pb.Consensus) -> None:
    """Prints how and why the brief ended, its clusters, and the selected program."""
    reason = " ".join(filter(None, (ended.reason, ended.detail)))
    console.print(f"{ending_name(ended)} at {ended.stage} {reason}".rstrip(), highlight=False, markup=False)
    for cluster in ended.clusters[:SHOWN_CLUSTERS]:
        console.print(f"  cluster of {len(cluster.members)} ({cluster.share:.0%}), passes {cluster.passed} tests")
    for disagreement in ended.disagreements:
        answers = "; ".join(f"{name} says {text}" for name, text in zip("ABCDE", disagreement.outputs, strict=False))
        console.print(f"  on {disagreement.input}: {answers}", highlight=False, markup=False)
    if ended.ending == pb.ENDING_SELECTED:
        console.print(f"confidence {ended.confidence:.2f}, margin {ended.margin:.2f}, by {ended.strategy}:")
        console.print(Syntax(ended.selected.program, "python"))
