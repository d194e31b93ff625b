"""The Parquet file of a dataset: one row per training example with its provenance. Hugging Face `datasets` opens it."""

import hashlib
import io
import tempfile
from dataclasses import dataclass, fields
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from ucoder.core.diversity import DiversityMeter, entropy_bits, tokens
from ucoder.core.program_quality import documentation, maintainability
from ucoder.core.validation_split import TRAIN, VALIDATION
from ucoder.runtime.storage.artifacts import name_of
from ucoder.runtime.storage.store import Store
from ucoder.v1 import artifacts_pb2 as pb

TYPES = {str: pa.string(), int: pa.int64(), int | None: pa.int64(), float: pa.float64()}
ROW_GROUP = 2000
"""Rows that are written at once."""


@dataclass(frozen=True, slots=True)
class TrainingExample:
    """One training example. `brief` names the brief that it comes from; `ucoder trace BRIEF` prints its history."""

    run: str
    iteration: int
    brief: str
    split: str
    """`train`, or `validation` for a row that is never trained on."""
    prompt: str
    solution: str
    """The completion that the model wrote after the prompt. The model is trained on it."""
    program: str
    entry_point: str
    domain: str
    difficulty: int
    rating: float
    rating_rank: float
    """The rank of the rating among those of the iteration, from 0 (easiest) to 1."""
    expected_agreement: float
    """The agreement that ratings of this rank had in the iteration: the calibrated rating."""
    agreement: float
    """The share of the candidates in the largest cluster: the solve rate as agreement estimates it."""
    confidence: float
    margin: float
    strategy: str
    mean_log_prob: float
    tests: int
    candidates: int
    model: str
    """The name of the served model that invented and solved the problem."""
    cluster: int | None
    """The index of the program's cluster in the brief's `consensus`; None for the control's random candidates."""
    cluster_size: int | None
    """The number of candidates in that cluster."""
    clusters: int
    maintainability: float
    documentation: float
    """Both from 0 to 1, of the program (core/program_quality.py)."""

    @classmethod
    def of(
        cls, ending: pb.Consensus, chosen: pb.Candidate, rank: float, expected: float, split: str = TRAIN
    ) -> "TrainingExample":
        """Returns the row of a selected brief with the program chosen for it."""
        problem = ending.problem
        winning = ending.clusters[0] if ending.clusters and chosen == ending.selected else None
        return cls(
            run=problem.brief.run,
            iteration=problem.brief.iteration,
            brief=name_of(ending),
            split=split,
            prompt=problem.prompt,
            solution=chosen.completion,
            program=chosen.program,
            entry_point=problem.entry_point,
            domain=problem.brief.domain,
            difficulty=problem.brief.difficulty,
            rating=problem.rating,
            rating_rank=rank,
            expected_agreement=expected,
            agreement=max((cluster.share for cluster in ending.clusters), default=0.0),
            confidence=ending.confidence,
            margin=ending.margin,
            strategy=ending.strategy,
            mean_log_prob=chosen.mean_log_prob,
            tests=ending.test_count,
            candidates=ending.candidate_count,
            model=problem.brief.model,
            cluster=0 if winning else None,
            cluster_size=len(winning.members) if winning else None,
            clusters=len(ending.clusters),
            maintainability=maintainability(chosen.program),
            documentation=documentation(chosen.program),
        )


SCHEMA = pa.schema([(field.name, TYPES[field.type]) for field in fields(TrainingExample)])  # type: ignore[index]


class DatasetFile:
    """A Parquet file that is written row by row into a temporary file. Equal rows give equal bytes."""

    def __init__(self) -> None:
        self.programs = DiversityMeter()
        self._count = self._validation = 0
        self._prompt_entropy = self._maintainability = self._documentation = 0.0
        self._rows: list[TrainingExample] = []

    def __enter__(self) -> "DatasetFile":
        self._folder = tempfile.TemporaryDirectory(prefix="ucoder-dataset-")
        self._path = Path(self._folder.name) / "rows.parquet"
        self._writer = pq.ParquetWriter(self._path, SCHEMA, compression="zstd")
        return self

    def __exit__(self, *_: object) -> None:
        self._writer.close()
        self._folder.cleanup()

    def add(self, row: TrainingExample) -> None:
        """Adds one row."""
        self._rows.append(row)
        self.programs.add(row.program)
        self._count += 1
        self._validation += row.split == VALIDATION
        self._prompt_entropy += entropy_bits(tokens(row.prompt))
        self._maintainability += row.maintainability
        self._documentation += row.documentation
        if len(self._rows) == ROW_GROUP:
            self._flush()

    def _flush(self) -> None:
        self._writer.write_table(table_of(self._rows))
        self._rows.clear()

    async def store(self, store: Store, key: str) -> str:
        """Completes the file and stores it; returns its SHA-256, or that of the file that another process stored."""
        if self._rows:
            self._flush()
        self._writer.close()
        if not await store.create_file(self._path, key):
            await store.get_file(key, self._path)
        with self._path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()

    def statistics(self) -> pb.Dataset:
        """Returns a dataset message with the statistics of the rows."""
        spread, rows = self.programs.result(), self._count
        return pb.Dataset(
            rows=rows,
            validation=self._validation,
            maintainability=self._maintainability / max(1, rows),
            documentation=self._documentation / max(1, rows),
            problem_entropy_bits=self._prompt_entropy / max(1, rows),
            node_types=spread.node_types,
            complexity=spread.complexity,
            complexity_sd=spread.complexity_sd,
            lines=spread.lines,
            lines_sd=spread.lines_sd,
        )


def table_of(rows: list[TrainingExample]) -> pa.Table:
    """Returns the rows as an Arrow table."""
    return pa.table({name: [getattr(row, name) for row in rows] for name in SCHEMA.names}, schema=SCHEMA)


def parquet_file(rows: list[TrainingExample]) -> bytes:
    """Returns the bytes of a Parquet file with these rows."""
    file = io.BytesIO()
    pq.write_table(table_of(rows), file, compression="zstd")
    return file.getvalue()
