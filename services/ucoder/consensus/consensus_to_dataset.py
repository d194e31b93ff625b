"""Stage `consensus -> dataset`: seals an iteration's selected programs as a Parquet file, exactly once.

The endings of an iteration are counted, each once. The process that sees the last ending seals the dataset. When two
processes do, the store accepts the file of one, and both announce the same dataset.
The endings are read twice, a few at a time: first for the statistics and the choice of the rows, then for the rows that
stay. So the memory does not grow with the texts of the iteration.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterable
from itertools import islice

from ucoder.consensus.dataset_statistics import EndingStatistics, collapse_metrics
from ucoder.consensus.row_curation import RowCuration
from ucoder.consensus.service import Service
from ucoder.consensus.training_table import DatasetFile, TrainingExample
from ucoder.core.validation_split import split_of
from ucoder.errors import NotFound
from ucoder.runtime.storage.artifacts import Artifacts, name_of
from ucoder.v1 import artifacts_pb2 as pb

AT_ONCE = 64
"""Endings that are read at once."""


async def run(service: Service, ended: pb.Consensus, run: pb.Run) -> list[pb.Dataset] | None:
    """Returns the sealed datasets: the loop's, and the control's where the run has one. None while briefs are open."""
    iteration = ended.brief.iteration
    if not await service.counts.all_ended(run.id, iteration, run.config.loop.briefs):
        return None
    variants = [pb.VARIANT_LOOP]
    if run.config.loop.control and iteration == 1:
        variants.append(pb.VARIANT_CONTROL)
    async with service.sealing[run.id, iteration]:
        with contextlib.suppress(NotFound):  # a message that waited behind the last one finds the dataset sealed
            return [await service.artifacts.get(pb.Dataset, run.id, _name(iteration, variant)) for variant in variants]
        return await _seal(service, run, iteration, variants)


async def _seal(
    service: Service, run: pb.Run, iteration: int, variants: list[pb.Variant.ValueType]
) -> list[pb.Dataset]:
    """Writes the file of each variant and returns their datasets.

    Both variants hold the same problems: the selected ones that curation kept. The control's rows hold a random
    candidate of each instead of the selected one.
    """
    statistics = EndingStatistics(run.config.loop.briefs)
    curation = await RowCuration.open(service.artifacts, run, iteration)
    async for batch in _endings(service.artifacts, run.id, iteration, range(run.config.loop.briefs)):
        await asyncio.to_thread(_study, batch, statistics, curation)
    kept, left_out = await asyncio.to_thread(curation.decide)
    ranks = await asyncio.to_thread(statistics.rating_ranks)
    with contextlib.ExitStack() as stack:
        files = {variant: stack.enter_context(DatasetFile()) for variant in variants}

        def write(batch: list[pb.Consensus]) -> None:
            for ending in batch:
                split = split_of(ending.problem.prompt, run.config.dataset.validation)
                for variant, file in files.items():
                    chosen = ending.random if variant == pb.VARIANT_CONTROL else ending.selected
                    file.add(TrainingExample.of(ending, chosen, *ranks(ending), split))

        async for batch in _endings(service.artifacts, run.id, iteration, kept):
            await asyncio.to_thread(write, batch)
        totals = await service.ledger.totals(run.id, iteration)
        ended_by = await service.ledger.reached_limit(run, iteration, fresh=True) or "briefs"
        datasets = []
        for variant, file in files.items():
            key = f"{run.id}/data/{_name(iteration, variant)}.parquet"
            sha256 = await file.store(service.artifacts.store, key)
            metrics = collapse_metrics(statistics, file.programs, totals.sums)
            dataset = pb.Dataset(
                run=run.id,
                iteration=iteration,
                variant=variant,
                key=key,
                sha256=sha256,
                left_out=left_out,
                cluster_entropy_bits=metrics.cluster_entropy,
                ledger=totals.sums,
                granted=totals.granted * run.config.candidates.round,
                ended_by=ended_by,
                signs=metrics,
            )
            dataset.MergeFrom(statistics.dataset())
            dataset.MergeFrom(file.statistics())
            datasets.append(dataset)
    return datasets


def _study(batch: list[pb.Consensus], statistics: EndingStatistics, curation: RowCuration) -> None:
    for ending in batch:
        statistics.add(ending)
        if ending.ending == pb.ENDING_SELECTED:
            curation.add(ending)


async def _endings(
    artifacts: Artifacts, run: str, iteration: int, numbers: Iterable[int]
) -> AsyncIterator[list[pb.Consensus]]:
    """Yields the endings of briefs in the order of their numbers, a few at a time."""
    left = iter(numbers)
    while batch := [f"{iteration:03d}-{number:06d}" for number in islice(left, AT_ONCE)]:
        yield list(await asyncio.gather(*(artifacts.get(pb.Consensus, run, name) for name in batch)))


def _name(iteration: int, variant: pb.Variant.ValueType) -> str:
    return name_of(pb.Dataset(iteration=iteration, variant=variant))
