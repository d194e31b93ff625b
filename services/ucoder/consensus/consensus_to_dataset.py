"""Stage `consensus -> dataset`: seals an iteration's selected programs as a Parquet file, exactly once.

The bus counts the endings of an iteration, one subject for each brief, so that a repeated ending does not count twice.
The process that sees the last ending seals the dataset. When two processes do, the store accepts the file of one, and
both announce the same dataset.
"""

import contextlib
import hashlib
from collections import Counter

from ucoder.consensus.dataset_statistics import collapse_metrics_of, largest_share, rating_ranks, statistics_of
from ucoder.consensus.row_curation import curate_rows
from ucoder.consensus.service import Service
from ucoder.consensus.training_table import TrainingExample, parquet_file
from ucoder.core.validation_split import split_of
from ucoder.errors import NotFound
from ucoder.runtime.storage.artifacts import name_of
from ucoder.v1 import artifacts_pb2 as pb


async def run(service: Service, ended: pb.Consensus, run: pb.Run) -> list[pb.Dataset] | None:
    """Returns the sealed datasets: the loop's, and the control's where the run has one. None while briefs are open."""
    iteration = ended.brief.iteration
    if not await service.bus.has_published("consensus", run.id, iteration, run.config.loop.briefs):
        return None
    variants = [pb.VARIANT_LOOP]
    if run.config.loop.control and iteration == 1:
        variants.append(pb.VARIANT_CONTROL)
    with contextlib.suppress(NotFound):  # a message that waited behind the last one finds the dataset sealed
        return [await service.artifacts.get(pb.Dataset, run.id, _name(iteration, variant)) for variant in variants]
    names = await service.artifacts.names(run.id, "consensus", f"{iteration:03d}-")
    endings = [await service.artifacts.get(pb.Consensus, run.id, name) for name in names]
    selected = [one for one in endings if one.ending == pb.ENDING_SELECTED]
    curated = await curate_rows(service.artifacts, run, iteration, selected)
    return [await _seal(service, run, iteration, endings, curated, variant) for variant in variants]


async def _seal(
    service: Service,
    run: pb.Run,
    iteration: int,
    endings: list[pb.Consensus],
    curated: list[tuple[pb.Consensus, str]],
    variant: pb.Variant.ValueType,
) -> pb.Dataset:
    """Writes the file of one variant and returns its dataset.

    Both variants hold the same problems: the selected ones that curation kept. The control's rows hold a random
    candidate of each instead of the selected one.
    """
    ranks = rating_ranks(endings)
    rows = [
        TrainingExample.of(
            ending,
            ending.random if variant == pb.VARIANT_CONTROL else ending.selected,
            *ranks.get(name_of(ending), (0.5, largest_share(ending))),
            split_of(ending.problem.prompt, run.config.dataset.validation),
        )
        for ending, reason in curated
        if not reason
    ]
    data = parquet_file(rows)
    key = f"{run.id}/data/{_name(iteration, variant)}.parquet"
    if not await service.artifacts.store.create(key, data):
        data = await service.artifacts.store.get(key)
    totals = await service.ledger.totals(run.id, iteration)
    metrics = await collapse_metrics_of(service.artifacts, run.id, iteration, endings, rows, totals.sums)
    dataset = pb.Dataset(
        run=run.id,
        iteration=iteration,
        variant=variant,
        key=key,
        sha256=hashlib.sha256(data).hexdigest(),
        left_out=Counter(reason for _, reason in curated if reason),
        cluster_entropy_bits=metrics.cluster_entropy,
        ledger=totals.sums,
        granted=totals.granted * run.config.candidates.round,
        ended_by=await service.ledger.reached_limit(run, iteration, fresh=True) or "briefs",
        signs=metrics,
    )
    dataset.MergeFrom(statistics_of(endings, rows))
    return dataset


def _name(iteration: int, variant: pb.Variant.ValueType) -> str:
    return name_of(pb.Dataset(iteration=iteration, variant=variant))
