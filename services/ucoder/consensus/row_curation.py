"""Which selected briefs of an iteration become rows: the run's rules, and what earlier iterations hold already."""

import io
from collections.abc import Sequence
from dataclasses import fields

import pyarrow.parquet as pq

from ucoder.core.curation import CandidateRow, CurationRules, curate, row_identity
from ucoder.runtime.storage.artifacts import Artifacts
from ucoder.v1 import artifacts_pb2 as pb


async def curated(
    artifacts: Artifacts, run: pb.Run, iteration: int, selected: Sequence[pb.Consensus]
) -> list[tuple[pb.Consensus, str]]:
    """Every selected brief with the reason that leaves it out, empty where it stays."""
    config = run.config.dataset
    rules = CurationRules(**{one.name: getattr(config, one.name) for one in fields(CurationRules)})
    offers = [
        CandidateRow(
            problem=one.problem.prompt,
            solution=one.selected.completion,
            program=one.selected.program,
            domain=one.problem.brief.domain,
            confidence=one.confidence,
            margin=one.margin,
        )
        for one in selected
    ]
    known = await _known(artifacts, run.id, iteration) if rules.deduplicate else set()
    return list(zip(selected, curate(offers, rules, known), strict=True))


async def _known(artifacts: Artifacts, run: str, iteration: int) -> set[tuple[str, str]]:
    """Identities of the rows in the loop's datasets before this iteration."""
    found = set()
    for before in range(1, iteration):
        sealed = await artifacts.get(pb.Dataset, run, f"{before:03d}")
        file = io.BytesIO(await artifacts.store.get(sealed.key))
        table = pq.read_table(file, columns=["prompt", "program"])
        found |= {row_identity(row["prompt"], row["program"]) for row in table.to_pylist()}
    return found
