"""`ucoder trace`: a brief's whole life, read from the store of its run folder."""

from pathlib import Path

from rich.console import Console
from rich.syntax import Syntax

from ucoder.runtime import settings
from ucoder.runtime.artifacts import Artifacts
from ucoder.runtime.errors import Misconfigured, NotFound
from ucoder.runtime.store import Store
from ucoder.v1 import artifacts_pb2 as pb

RUN = "run"


async def main(out: Path, brief: str) -> None:
    """Prints what became of the brief; NotFound when the run has none of that name."""
    if not (out / "store").is_dir():
        raise Misconfigured(f"--out {out}: holds no run.")
    artifacts = Artifacts(Store(settings.load(store_url=f"file://{(out / 'store').resolve()}")))
    console = Console()
    try:
        asked = await artifacts.get(pb.Brief, RUN, brief)
    except NotFound:
        raise NotFound(f"the run in {out} has no brief {brief}; rows of its datasets name theirs.") from None
    console.print(f"brief {brief}: {asked.domain}, difficulty {asked.difficulty}, model {asked.model}")
    if await artifacts.find(RUN, "problem", brief):
        problem = await artifacts.get(pb.Problem, RUN, brief)
        console.print(f"problem (attempt {problem.attempts}, rated {problem.rating:g}, prompts {problem.prompts}):")
        console.print(Syntax(problem.prompt, "python"))
    if await artifacts.find(RUN, "tests", brief):
        tests = await artifacts.get(pb.Tests, RUN, brief)
        console.print(f"tests: {len(tests.tests)} kept, dropped {dict(tests.dropped)}")
        for test in tests.tests:
            console.print(f"  {test.count} x {test.code}", highlight=False)
    if await artifacts.find(RUN, "matrix", brief):
        matrix = await artifacts.get(pb.Matrix, RUN, brief)
        console.print(f"executed: {len(matrix.rows)} programs in {matrix.seconds:.2f} s under {matrix.isolation}")
    try:
        ended = await artifacts.get(pb.Consensus, RUN, brief)
    except NotFound:
        console.print("not ended yet")
        return
    console.print(f"{pb.Ending.Name(ended.ending)[7:].lower()} at {ended.stage} {ended.reason} {ended.detail}".rstrip())
    for cluster in ended.clusters[:5]:
        console.print(f"  cluster of {len(cluster.members)} ({cluster.share:.0%}), passes {cluster.passed} tests")
    if ended.ending == pb.ENDING_SELECTED:
        console.print(f"confidence {ended.confidence:.2f}, margin {ended.margin:.2f}, by {ended.strategy}:")
        console.print(Syntax(ended.selected.program, "python"))
