"""`ucoder trace`: a brief's whole life, read from the store, with when each step was done."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.syntax import Syntax
from rich.table import Table

from ucoder.errors import Misconfigured, NotFound
from ucoder.runtime import settings
from ucoder.runtime.storage.artifacts import TYPES, Artifacts
from ucoder.runtime.storage.store import Store
from ucoder.runtime.tracing import trace_id
from ucoder.v1 import artifacts_pb2 as pb

RUN = "run"
LIFE = ("brief", "problem", "tests", "candidates", "matrix", "consensus")


async def main(out: Path | None, run: str | None, brief: str) -> None:
    """Prints what became of the brief; NotFound when the run has none of that name.

    `out` is a run folder; without it the store is that of `UCODER_STORE_URL`, and `run` names the run there.
    """
    if out is not None and not (out / "store").is_dir():
        raise Misconfigured(f"--out {out}: holds no run.")
    if out is None and run is None:
        raise Misconfigured("name the run: --out FOLDER of a run made here, or --run ID in UCODER_STORE_URL's store.")
    chosen = settings.load(store_url=f"file://{(out / 'store').resolve()}") if out else settings.load()
    artifacts, run = Artifacts(Store(chosen)), run or RUN
    await artifacts.get(pb.Run, run, "000")  # refuses the runs of another version
    made = {}
    for kind in LIFE:
        try:
            made[kind] = await artifacts.get(TYPES[kind], run, brief), await artifacts.when(run, kind, brief)
        except NotFound:
            if kind == "brief":
                raise NotFound(f"run {run} has no brief {brief}; rows of its datasets name theirs.") from None
    console = Console()
    begun = made["brief"][1]
    table = Table("made", "after, s", title=f"brief {brief}, trace {trace_id(run, brief):032x}", title_justify="left")
    for kind, (_, when) in made.items():
        table.add_row(kind, f"{when - begun:.2f}")
    console.print(table)
    tell: dict[str, Callable[[Console, Any], None]] = {
        "brief": _brief,
        "problem": _problem,
        "tests": _tests,
        "matrix": _matrix,
        "consensus": _consensus,
    }
    for kind, (artefact, _) in made.items():
        if kind in tell:
            tell[kind](console, artefact)
    if "consensus" not in made:
        console.print("not ended yet")


def _brief(console: Console, brief: pb.Brief) -> None:
    console.print(f"asked for: {brief.domain}, difficulty {brief.difficulty}, of model {brief.model}", highlight=False)


def _problem(console: Console, problem: pb.Problem) -> None:
    console.print(f"problem (attempt {problem.attempts}, rated {problem.rating:g}, prompts {problem.prompts}):")
    console.print(Syntax(problem.prompt, "python"))


def _tests(console: Console, tests: pb.Tests) -> None:
    console.print(f"tests: {len(tests.tests)} kept, dropped {dict(tests.dropped)}")
    for test in tests.tests:
        console.print(f"  {test.count} x {test.code or test.stdin}", highlight=False, markup=False)


def _matrix(console: Console, matrix: pb.Matrix) -> None:
    console.print(f"executed: {len(matrix.rows)} programs in {matrix.seconds:.2f} s under {matrix.isolation}")


def _consensus(console: Console, ended: pb.Consensus) -> None:
    why = " ".join(filter(None, (ended.reason, ended.detail)))
    how = pb.Ending.Name(ended.ending).removeprefix("ENDING_").lower()
    console.print(f"{how} at {ended.stage} {why}".rstrip(), highlight=False, markup=False)
    for cluster in ended.clusters[:5]:
        console.print(f"  cluster of {len(cluster.members)} ({cluster.share:.0%}), passes {cluster.passed} tests")
    for one in ended.disagreements:
        answers = "; ".join(f"{letter} says {text}" for letter, text in zip("ABCDE", one.outputs, strict=False))
        console.print(f"  on {one.input}: {answers}", highlight=False, markup=False)
    if ended.ending == pb.ENDING_SELECTED:
        console.print(f"confidence {ended.confidence:.2f}, margin {ended.margin:.2f}, by {ended.strategy}:")
        console.print(Syntax(ended.selected.program, "python"))
