"""Decides which selected briefs of an iteration become training rows, by the run's rules and the earlier datasets."""

import tempfile
from array import array
from collections import Counter
from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path

import pyarrow.parquet as pq

from ucoder.core.curation import CandidateRows, CurationRules, curate, row_identity
from ucoder.runtime.storage.artifacts import Artifacts
from ucoder.v1 import artifacts_pb2 as pb


class RowCuration:
    """The selected briefs of an iteration, added one by one."""

    def __init__(self, rules: CurationRules, known: Sequence[int]) -> None:
        self._rules, self._known = rules, known
        self._rows, self._numbers = CandidateRows(), array("L")

    @classmethod
    async def open(cls, artifacts: Artifacts, run: pb.Run, iteration: int) -> "RowCuration":
        """Returns the curation with the run's rules; reads the earlier datasets where rows must differ from theirs."""
        config = run.config.dataset
        rules = CurationRules(**{field.name: getattr(config, field.name) for field in fields(CurationRules)})
        return cls(rules, await _earlier_rows(artifacts, run.id, iteration) if rules.deduplicate else ())

    def add(self, ending: pb.Consensus) -> None:
        """Adds a selected brief."""
        self._numbers.append(ending.brief.number)
        self._rows.add(
            problem=ending.problem.prompt,
            solution=ending.selected.completion,
            program=ending.selected.program,
            domain=ending.problem.brief.domain,
            confidence=ending.confidence,
            margin=ending.margin,
        )

    def decide(self) -> tuple[Sequence[int], Counter[str]]:
        """Returns the numbers of the briefs that stay, and how many are left out by the reason."""
        reasons = curate(self._rows, self._rules, self._known)
        kept = array("L", (number for number, reason in zip(self._numbers, reasons, strict=True) if not reason))
        return kept, Counter(reason for reason in reasons if reason)


async def _earlier_rows(artifacts: Artifacts, run: str, iteration: int) -> Sequence[int]:
    """Returns the identities of the rows in the loop's datasets before this iteration."""
    found = array("Q")
    with tempfile.TemporaryDirectory() as folder:
        for earlier in range(1, iteration):
            path = Path(folder) / f"{earlier}.parquet"
            await artifacts.store.get_file((await artifacts.get(pb.Dataset, run, f"{earlier:03d}")).key, path)
            with pq.ParquetFile(path) as file:
                for batch in file.iter_batches(1000, columns=["prompt", "program"]):
                    found.extend(row_identity(row["prompt"], row["program"]) for row in batch.to_pylist())
    return found
