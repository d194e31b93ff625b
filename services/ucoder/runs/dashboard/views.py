"""What the pages show, gathered from the store and the bus through the service's own eyes; plain data, no markup."""

import asyncio
import datetime
import io
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow.parquet as pq

from ucoder.core.collapse_metrics import SIGNS
from ucoder.errors import NotFound
from ucoder.runs.collapse_history import signs_of_run
from ucoder.runtime.storage.artifacts import TYPES, Artifacts
from ucoder.v1 import artifacts_pb2 as pb
from ucoder.v1 import runs_pb2

SHOWN = 50
"""Briefs or rows of one page."""
CLUSTERS = 5
LIFE = ("brief", "problem", "tests", "candidates", "matrix", "consensus")


@dataclass(frozen=True, slots=True)
class DashboardViews:
    """What may be seen: `status` and `statuses` refuse what is not the caller's."""

    artifacts: Artifacts
    status: Callable[[str], Awaitable[runs_pb2.RunStatus]]
    statuses: Callable[[], Awaitable[list[runs_pb2.RunStatus]]]


async def run_of(sight: DashboardViews, run: str) -> dict[str, Any]:
    """One run: its funnel, its scores, the parts whose briefs and rows can be looked at."""
    status = await sight.status(run)
    loop = [one for one in status.evaluations if one.served.checkpoint.variant == pb.VARIANT_LOOP]
    line = {one.served.checkpoint.iteration: one for one in loop}
    dropped = sorted(status.dropped.items(), key=lambda item: -item[1])
    return {
        "status": status,
        "state": state_name(status.state),
        "funnel": [(kind, status.made[kind]) for kind in LIFE],
        "endings": [("selected", status.selected), ("abstained", status.abstained), *dropped],
        "scores": [score for evaluation in status.evaluations if (score := _score(evaluation))],
        "signs": await signs_of_run(sight.artifacts, run, line),
        "names": SIGNS,
        "iterations": list(range(1, status.iteration + 1)),
        "datasets": await sight.artifacts.names(run, "dataset"),
    }


async def briefs_of(sight: DashboardViews, run: str, iteration: int, page: int) -> dict[str, Any]:
    """A page of an iteration's briefs, each with its ending where it has one."""
    await sight.status(run)
    names = await sight.artifacts.names(run, "brief", f"{iteration:03d}-")
    shown = names[page * SHOWN : (page + 1) * SHOWN]
    ended = set(await sight.artifacts.names(run, "consensus", f"{iteration:03d}-"))
    briefs = await asyncio.gather(*(_brief(sight, run, name, name in ended) for name in shown))
    return {"iteration": iteration, "briefs": briefs, "page": page, "pages": _pages(len(names)), "total": len(names)}


async def life_of(sight: DashboardViews, run: str, name: str) -> dict[str, Any]:
    """A brief from what was asked to how it ended, with when each artefact was written."""
    await sight.status(run)
    made = {kind: await _made(sight, run, kind, name) for kind in LIFE}
    if made["brief"] is None:
        raise NotFound(f"run {run} has no brief {name}.")
    times = [(kind, await sight.artifacts.when(run, kind, name)) for kind in LIFE if made[kind] is not None]
    matrix, ended = made["matrix"], made["consensus"]
    programs = matrix.candidates.candidates if matrix else []
    return {
        **made,
        "name": name,
        "begun": datetime.datetime.fromtimestamp(times[0][1], datetime.UTC),
        "times": [(kind, when - times[0][1]) for kind, when in times],
        "ending": ending_name(ended) if ended else "",
        "clusters": [_cluster(cluster, programs) for cluster in ended.clusters[:CLUSTERS]] if ended else [],
        "outcomes": _outcomes(matrix.rows) if matrix else [],
    }


async def rows_of(sight: DashboardViews, run: str, dataset: str, page: int) -> dict[str, Any]:
    """A page of a sealed dataset's training rows."""
    await sight.status(run)
    sealed = await sight.artifacts.get(pb.Dataset, run, dataset)
    table = pq.read_table(io.BytesIO(await sight.artifacts.store.get(sealed.key)))
    rows = table.slice(page * SHOWN, SHOWN).to_pylist()
    return {"dataset": sealed, "name": dataset, "rows": rows, "page": page, "pages": _pages(table.num_rows)}


def state_name(state: runs_pb2.RunState.ValueType) -> str:
    """running, succeeded, failed or cancelled."""
    return runs_pb2.RunState.Name(state).removeprefix("RUN_STATE_").lower()


def ending_name(ended: pb.Consensus) -> str:
    """selected, abstained or dropped."""
    return pb.Ending.Name(ended.ending).removeprefix("ENDING_").lower()


async def _brief(sight: DashboardViews, run: str, name: str, ended: bool) -> dict[str, Any]:
    brief = await sight.artifacts.get(pb.Brief, run, name)
    row: dict[str, Any] = {"name": name, "brief": brief, "ending": "", "consensus": None}
    if ended:
        consensus = await sight.artifacts.get(pb.Consensus, run, name)
        row |= {"ending": ending_name(consensus), "consensus": consensus}
    return row


async def _made(sight: DashboardViews, run: str, kind: str, name: str) -> Any:
    try:
        return await sight.artifacts.get(TYPES[kind], run, name)
    except NotFound:
        return None


def _cluster(cluster: pb.Cluster, programs: Sequence[pb.Candidate]) -> dict[str, Any]:
    """A cluster with the program most of its members share, as far as programs are at hand."""
    written = [programs[member].program for member in cluster.members if member < len(programs)]
    return {"cluster": cluster, "program": max(written, key=written.count) if written else "", "texts": len({*written})}


def _outcomes(rows: Sequence[pb.Row]) -> list[tuple[str, int]]:
    """How often each outcome occurred, over all programs and tests."""
    counts: dict[str, int] = {}
    for row in rows:
        for code in row.outcomes:
            name = pb.Outcome.Name(code).removeprefix("OUTCOME_").lower()
            counts[name] = counts.get(name, 0) + 1
    return sorted(counts.items(), key=lambda item: -item[1])


def _score(evaluation: pb.Evaluation) -> dict[str, Any] | None:
    """pass@1 of one checkpoint, and who it is."""
    checkpoint = evaluation.served.checkpoint
    control = checkpoint.variant == pb.VARIANT_CONTROL
    name = "control" if control else f"iteration {checkpoint.iteration}" if checkpoint.iteration else "base"
    for score in evaluation.scores:
        if (score.tasks, score.metric) == ("benchmark", "pass_at_1"):
            return {"name": name, "control": control, "iteration": checkpoint.iteration, "score": score}
    return None


def _pages(count: int) -> int:
    return max(1, -(-count // SHOWN))
