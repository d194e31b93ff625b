"""Collects the data of each dashboard page from store and bus: plain data, without markup."""

import asyncio
import contextlib
import datetime
import io
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow.parquet as pq

from ucoder.core.collapse_metrics import METRICS
from ucoder.errors import NotFound
from ucoder.runs.brief_history import BRIEF_STAGES, brief_history, ending_name
from ucoder.runs.checkpoint_scores import checkpoint_label, loop_evaluations, pass_at_1
from ucoder.runs.collapse_history import collapse_history
from ucoder.runs.run_status import state_name
from ucoder.runtime.storage.artifacts import Artifacts
from ucoder.v1 import artifacts_pb2 as pb
from ucoder.v1 import runs_pb2

PAGE_LENGTH = 50
"""Briefs or training rows on one page."""
CLUSTERS = 5
"""Clusters of a brief that its page shows."""


@dataclass(frozen=True, slots=True)
class DashboardViews:
    """The data of each page. Every method raises NotFound for a run that the caller may not see."""

    artifacts: Artifacts
    status: Callable[[str], Awaitable[runs_pb2.RunStatus]]
    """Reads the status of one run; raises NotFound when it belongs to another caller."""
    statuses: Callable[[], Awaitable[list[runs_pb2.RunStatus]]]
    """Reads the status of every run that the caller may see."""

    async def run(self, run: str) -> dict[str, Any]:
        """Returns one run: its briefs by stage and ending, its scores, and what else can be opened."""
        status = await self.status(run)
        dropped = sorted(status.dropped.items(), key=lambda item: -item[1])
        return {
            "status": status,
            "state": state_name(status.state),
            "stages": [(kind, status.made[kind]) for kind in BRIEF_STAGES],
            "endings": [("selected", status.selected), ("abstained", status.abstained), *dropped],
            "scores": [row for evaluation in status.evaluations if (row := _score_row(evaluation))],
            "metrics": await collapse_history(self.artifacts, run, loop_evaluations(status.evaluations)),
            "metric_names": METRICS,
            "iterations": list(range(1, status.iteration + 1)),
            "datasets": await self.artifacts.names(run, "dataset"),
        }

    async def briefs(self, run: str, iteration: int, page: int) -> dict[str, Any]:
        """Returns a page of an iteration's briefs, each with its ending where it has one."""
        status = await self.status(run)
        total = status.briefs if iteration == status.iteration else 0
        if 0 < iteration < status.iteration:  # an iteration before the last one has all its briefs
            total = (await self.artifacts.get(pb.Run, run, "000")).config.loop.briefs
        shown = range(page * PAGE_LENGTH, min(total, (page + 1) * PAGE_LENGTH))
        rows = await asyncio.gather(*(self._brief_row(run, f"{iteration:03d}-{number:06d}") for number in shown))
        briefs = [row for row in rows if row]
        return {"iteration": iteration, "briefs": briefs, "page": page, "pages": _pages(total), "total": total}

    async def _brief_row(self, run: str, name: str) -> dict[str, Any] | None:
        """Returns a brief with its ending; None where the brief does not exist yet."""
        try:
            brief, consensus = await self.artifacts.get(pb.Brief, run, name), None
        except NotFound:
            return None
        with contextlib.suppress(NotFound):
            consensus = await self.artifacts.get(pb.Consensus, run, name)
        return {
            "name": name,
            "brief": brief,
            "ending": ending_name(consensus) if consensus else "",
            "consensus": consensus,
        }

    async def brief(self, run: str, name: str) -> dict[str, Any]:
        """Returns a brief from what it asked for to how it ended, with the time of each step."""
        await self.status(run)
        history = await brief_history(self.artifacts, run, name)
        matrix, ended = history.matrix, history.consensus
        programs = matrix.candidates.candidates if matrix else []
        return {
            "name": name,
            "brief": history.brief,
            "problem": history.problem,
            "tests": history.tests,
            "matrix": matrix,
            "consensus": ended,
            "begun": datetime.datetime.fromtimestamp(history.written["brief"], datetime.UTC),
            "times": list(history.seconds.items()),
            "ending": ending_name(ended) if ended else "",
            "clusters": [_cluster_row(cluster, programs) for cluster in ended.clusters[:CLUSTERS]] if ended else [],
            "outcomes": _count_outcomes(matrix.rows) if matrix else [],
        }

    async def rows(self, run: str, dataset: str, page: int) -> dict[str, Any]:
        """Returns a page of a sealed dataset's training rows."""
        await self.status(run)
        sealed = await self.artifacts.get(pb.Dataset, run, dataset)
        table = pq.read_table(io.BytesIO(await self.artifacts.store.get(sealed.key)))
        rows = table.slice(page * PAGE_LENGTH, PAGE_LENGTH).to_pylist()
        return {"dataset": sealed, "name": dataset, "rows": rows, "page": page, "pages": _pages(table.num_rows)}


def _cluster_row(cluster: pb.Cluster, programs: Sequence[pb.Candidate]) -> dict[str, Any]:
    """Returns a cluster with the program that most of its members share and the number of different texts."""
    texts = [programs[member].program for member in cluster.members if member < len(programs)]
    return {"cluster": cluster, "program": max(texts, key=texts.count) if texts else "", "texts": len({*texts})}


def _count_outcomes(rows: Sequence[pb.Row]) -> list[tuple[str, int]]:
    """Returns how often each outcome occurred over all programs and tests, the most frequent first."""
    counts = Counter(code for row in rows for code in row.outcomes).most_common()
    return [(pb.Outcome.Name(code).removeprefix("OUTCOME_").lower(), count) for code, count in counts]


def _score_row(evaluation: pb.Evaluation) -> dict[str, Any] | None:
    """Returns the benchmark's pass@1 of one checkpoint, with the checkpoint's name."""
    checkpoint, score = evaluation.served.checkpoint, pass_at_1(evaluation, "benchmark")
    if score is None:
        return None
    control = checkpoint.variant == pb.VARIANT_CONTROL
    return {"name": checkpoint_label(checkpoint), "control": control, "iteration": checkpoint.iteration, "score": score}


def _pages(count: int) -> int:
    return max(1, -(-count // PAGE_LENGTH))
