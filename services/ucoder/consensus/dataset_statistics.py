"""The statistics that a sealed dataset carries: endings, coverage, agreement, diversity and collapse metrics."""

import asyncio
import json
from collections import Counter
from collections.abc import Mapping, Sequence

from ucoder.consensus.training_table import TrainingExample
from ucoder.core import diversity
from ucoder.core.collapse_metrics import dataset_metrics
from ucoder.core.drop_reasons import ALREADY_POSED
from ucoder.core.ratings import expected_solve_rates, rank_correlation, ranks
from ucoder.core.validation_split import VALIDATION
from ucoder.runtime.storage import ledger
from ucoder.runtime.storage.artifacts import Artifacts, name_of
from ucoder.v1 import artifacts_pb2 as pb


def statistics_of(endings: Sequence[pb.Consensus], rows: Sequence[TrainingExample]) -> pb.Dataset:
    """Returns a dataset message with the statistics of an iteration's endings and of the dataset's rows."""
    counted = Counter(one.ending for one in endings)
    decided = [one for one in endings if one.clusters]
    shares = [largest_share(one) for one in decided]
    spread = diversity.measure([row.program for row in rows])
    return pb.Dataset(
        rows=len(rows),
        maintainability=sum(row.maintainability for row in rows) / max(1, len(rows)),
        documentation=sum(row.documentation for row in rows) / max(1, len(rows)),
        validation=sum(row.split == VALIDATION for row in rows),
        briefs=len(endings),
        selected=counted[pb.ENDING_SELECTED],
        abstained=counted[pb.ENDING_ABSTAINED],
        dropped=Counter(f"{one.stage}.{one.reason}" for one in endings if one.ending == pb.ENDING_DROPPED),
        cluster_shares=shares,
        problem_entropy_bits=diversity.measure([row.prompt for row in rows]).token_entropy_bits,
        node_types=spread.node_types,
        complexity=spread.complexity,
        complexity_sd=spread.complexity_sd,
        lines=spread.lines,
        lines_sd=spread.lines_sd,
        cells=_coverage(endings),
        rating_correlation=rank_correlation([one.problem.rating for one in decided], [1 - share for share in shares]),
        tests=sum((Counter(dict(one.tests)) for one in endings), Counter()),
        test_bits=sum(one.test_bits for one in decided) / max(1, len(decided)),
    )


def largest_share(ending: pb.Consensus) -> float:
    """Returns the share of the candidates in the largest cluster."""
    return max(cluster.share for cluster in ending.clusters)


def rating_ranks(endings: Sequence[pb.Consensus]) -> dict[str, tuple[float, float]]:
    """Returns the rank of each rated brief's rating, and the agreement to expect at that rank, by the brief's name."""
    rated = [one for one in endings if one.problem.rating and one.clusters]
    rank = ranks([one.problem.rating for one in rated])
    expected = expected_solve_rates(rank.tolist(), [largest_share(one) for one in rated])
    return dict(zip(map(name_of, rated), zip(rank.tolist(), expected.tolist(), strict=True), strict=True))


async def collapse_metrics_of(
    artifacts: Artifacts,
    run: str,
    iteration: int,
    endings: Sequence[pb.Consensus],
    rows: Sequence[TrainingExample],
    sums: Mapping[str, int],
) -> pb.Signs:
    """Returns the collapse metrics of an iteration. `sums` are those of its ledger. What was not measured is absent."""
    metrics = dataset_metrics(
        cluster_sizes=[[len(cluster.members) for cluster in one.clusters] for one in endings if one.clusters],
        repeated=await _repeated_problems(artifacts, run, iteration),
        programs=sums[ledger.PROGRAMS],
        distinct_programs=sums[ledger.DISTINCT],
        training_programs=[row.program for row in rows],
    )
    return pb.Signs(**metrics)


async def _repeated_problems(artifacts: Artifacts, run: str, iteration: int) -> int:
    """Returns the number of invented problems that were refused because the run had them already."""
    keys = [key for key in await artifacts.store.keys(f"{run}/refused") if f"/{iteration:03d}-" in key]
    refused = await asyncio.gather(*map(artifacts.store.get, keys))
    return sum(json.loads(one)["reason"] in ALREADY_POSED for one in refused)


def _coverage(endings: Sequence[pb.Consensus]) -> list[pb.Cell]:
    """Returns the briefs and the selected ones by domain and difficulty. Those lost with their message have neither."""
    known = [one for one in endings if one.brief.domain]
    briefs = Counter((one.brief.domain, one.brief.difficulty) for one in known)
    selected = Counter((one.brief.domain, one.brief.difficulty) for one in known if one.ending == pb.ENDING_SELECTED)
    return [
        pb.Cell(domain=domain, difficulty=difficulty, briefs=count, selected=selected[domain, difficulty])
        for (domain, difficulty), count in sorted(briefs.items())
    ]
