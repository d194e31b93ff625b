"""consensus -> dataset: when every brief of an iteration has ended, what was selected becomes a Parquet file, once.

The bus counts the endings (one subject each, so a repeated one cannot count twice). Whoever sees the last one seals; if
two do, the store lets one of them write, and both announce the same dataset.
"""

import contextlib
import hashlib
from collections import Counter

from ucoder.consensus.collapse_measurement import signs_of
from ucoder.consensus.row_curation import curated
from ucoder.consensus.service import Service
from ucoder.consensus.training_table import TrainingExample, table
from ucoder.core import diversity
from ucoder.core.ratings import expected_solve_rates, rank_correlation, ranks
from ucoder.core.validation_split import VALIDATION, split_of
from ucoder.errors import NotFound
from ucoder.runtime.storage.artifacts import name_of
from ucoder.v1 import artifacts_pb2 as pb


async def run(service: Service, ended: pb.Consensus, run: pb.Run) -> list[pb.Dataset] | None:
    """The sealed datasets: the loop's, and the control's where one was asked for. None while briefs are open."""
    iteration = ended.brief.iteration
    if not await service.bus.reached("consensus", run.id, iteration, run.config.loop.briefs):
        return None
    variants = [pb.VARIANT_LOOP]
    if run.config.loop.control and iteration == 1:
        variants.append(pb.VARIANT_CONTROL)
    with contextlib.suppress(NotFound):  # messages that waited behind the last one find it sealed
        return [await service.artifacts.get(pb.Dataset, run.id, _name(iteration, variant)) for variant in variants]
    names = await service.artifacts.names(run.id, "consensus", f"{iteration:03d}-")
    endings = [await service.artifacts.get(pb.Consensus, run.id, name) for name in names]
    judged = await curated(service.artifacts, run, iteration, [e for e in endings if e.ending == pb.ENDING_SELECTED])
    return [await _seal(service, run, iteration, endings, judged, variant) for variant in variants]


async def _seal(
    service: Service,
    run: pb.Run,
    iteration: int,
    endings: list[pb.Consensus],
    judged: list[tuple[pb.Consensus, str]],
    variant: pb.Variant.ValueType,
) -> pb.Dataset:
    """Both variants hold the same problems: those selected and kept. The control's rows hold a random candidate."""
    control = variant == pb.VARIANT_CONTROL
    places = _places(endings)
    share = run.config.dataset.validation
    rows = [
        TrainingExample.of(
            one,
            one.random if control else one.selected,
            *places.get(name_of(one), (0.5, _share(one))),
            split_of(one.problem.prompt, share),
        )
        for one, reason in judged
        if not reason
    ]
    data = table(rows)
    key = f"{run.id}/data/{_name(iteration, variant)}.parquet"
    if not await service.artifacts.store.create(key, data):
        data = await service.artifacts.store.get(key)
    counted = Counter(one.ending for one in endings)
    decided = [one for one in endings if one.clusters]
    spread = diversity.measure([row.program for row in rows])
    books = await service.ledger.books(run.id, iteration)
    signs = await signs_of(service.artifacts, run.id, iteration, endings, rows, books)
    return pb.Dataset(
        run=run.id,
        iteration=iteration,
        variant=variant,
        key=key,
        sha256=hashlib.sha256(data).hexdigest(),
        rows=len(rows),
        left_out=Counter(reason for _, reason in judged if reason),
        maintainability=sum(row.maintainability for row in rows) / max(1, len(rows)),
        documentation=sum(row.documentation for row in rows) / max(1, len(rows)),
        validation=sum(row.split == VALIDATION for row in rows),
        briefs=len(endings),
        selected=counted[pb.ENDING_SELECTED],
        abstained=counted[pb.ENDING_ABSTAINED],
        dropped=Counter(f"{one.stage}.{one.reason}" for one in endings if one.ending == pb.ENDING_DROPPED),
        cluster_shares=[_share(one) for one in decided],
        cluster_entropy_bits=signs.cluster_entropy,
        problem_entropy_bits=diversity.measure([row.prompt for row in rows]).token_entropy_bits,
        node_types=spread.node_types,
        complexity=spread.complexity,
        complexity_sd=spread.complexity_sd,
        lines=spread.lines,
        lines_sd=spread.lines_sd,
        cells=_cells(endings),
        rating_correlation=rank_correlation(
            [one.problem.rating for one in decided], [1 - _share(one) for one in decided]
        ),
        ledger=books.sums,
        granted=books.granted * run.config.candidates.round,
        ended_by=await service.ledger.over(run, iteration, fresh=True) or "briefs",
        tests=sum((Counter(dict(one.tests)) for one in endings), Counter()),
        test_bits=sum(one.test_bits for one in decided) / max(1, len(decided)),
        signs=signs,
    )


def _share(one: pb.Consensus) -> float:
    """Share of the largest cluster."""
    return max(cluster.share for cluster in one.clusters)


def _places(endings: list[pb.Consensus]) -> dict[str, tuple[float, float]]:
    """By brief that was rated and voted on: the rating's rank among them, and the agreement to expect at that rank."""
    rated = [one for one in endings if one.problem.rating and one.clusters]
    rank = ranks([one.problem.rating for one in rated])
    expected = expected_solve_rates(rank.tolist(), [_share(one) for one in rated])
    return dict(zip(map(name_of, rated), zip(rank.tolist(), expected.tolist(), strict=True), strict=True))


def _cells(endings: list[pb.Consensus]) -> list[pb.Cell]:
    """Coverage by domain and difficulty; a brief that died with its message tells neither."""
    told = [one for one in endings if one.brief.domain]
    asked = Counter((one.brief.domain, one.brief.difficulty) for one in told)
    got = Counter((one.brief.domain, one.brief.difficulty) for one in told if one.ending == pb.ENDING_SELECTED)
    return [
        pb.Cell(domain=domain, difficulty=difficulty, briefs=count, selected=got[domain, difficulty])
        for (domain, difficulty), count in sorted(asked.items())
    ]


def _name(iteration: int, variant: pb.Variant.ValueType) -> str:
    return name_of(pb.Dataset(iteration=iteration, variant=variant))
