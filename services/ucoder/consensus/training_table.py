"""The Parquet file of a dataset: one row per training example with its provenance. Hugging Face `datasets` opens it."""

import io
from dataclasses import asdict, dataclass, fields

import pyarrow as pa
import pyarrow.parquet as pq

from ucoder.core.program_quality import documentation, maintainability
from ucoder.core.validation_split import TRAIN
from ucoder.runtime.storage.artifacts import name_of
from ucoder.v1 import artifacts_pb2 as pb

TYPES = {str: pa.string(), int: pa.int64(), int | None: pa.int64(), float: pa.float64()}


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


def parquet_file(rows: list[TrainingExample]) -> bytes:
    """Returns the bytes of the Parquet file. Equal rows give equal bytes."""
    columns = {f.name: pa.array([asdict(row)[f.name] for row in rows], TYPES[f.type]) for f in fields(TrainingExample)}  # type: ignore[index]
    file = io.BytesIO()
    pq.write_table(pa.table(columns), file, compression="zstd")
    return file.getvalue()
