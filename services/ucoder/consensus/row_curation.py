"""Decides which selected briefs of an iteration become training rows, by the run's rules and the earlier datasets."""

import io
from collections.abc import Sequence
from dataclasses import fields

import pyarrow.parquet as pq

from ucoder.core.curation import CandidateRow, CurationRules, curate, row_identity
from ucoder.runtime.storage.artifacts import Artifacts
from ucoder.v1 import artifacts_pb2 as pb


async def curate_rows(
    artifacts: Artifacts, run: pb.Run, iteration: int, selected: Sequence[pb.Consensus]
) -> list[tuple[pb.Consensus, str]]:
    """Returns each selected brief with the reason that leaves it out, or with an empty reason when it stays."""
    config = run.config.dataset
    rules = CurationRules(**{field.name: getattr(config, field.name) for field in fields(CurationRules)})
    candidates = [
        CandidateRow(
            problem=ending.problem.prompt,
            solution=ending.selected.completion,
            program=ending.selected.program,
            domain=ending.problem.brief.domain,
            confidence=ending.confidence,
            margin=ending.margin,
        )
        for ending in selected
    ]
    known = await _earlier_rows(artifacts, run.id, iteration) if rules.deduplicate else set()
    return list(zip(selected, curate(candidates, rules, known), strict=True))


async def _earlier_rows(artifacts: Artifacts, run: str, iteration: int) -> set[tuple[str, str]]:
    """Returns the identities of the rows in the loop's datasets before this iteration."""
    found = set()
    for earlier in range(1, iteration):
        sealed = await artifacts.get(pb.Dataset, run, f"{earlier:03d}")
        file = io.BytesIO(await artifacts.store.get(sealed.key))
        table = pq.read_table(file, columns=["prompt", "program"])
        found |= {row_identity(row["prompt"], row["program"]) for row in table.to_pylist()}
    return found
