"""A dataset as Parquet that Hugging Face `datasets` opens: one row per training example, with its provenance."""

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
    """One example. `brief` names the brief it came from; `ucoder trace` tells the rest."""

    run: str
    iteration: int
    brief: str
    split: str
    """`train`, or `validation`: never trained on."""
    prompt: str
    solution: str
    """What the model wrote after the prompt: what is trained on."""
    program: str
    entry_point: str
    domain: str
    difficulty: int
    rating: float
    rating_rank: float
    """Place of the rating among the iteration's, 0 (easiest) to 1."""
    expected_agreement: float
    """What ratings of that rank came to in this iteration: the rating, calibrated."""
    agreement: float
    """Share of the candidates in the largest cluster: the observed solve rate, as far as agreement tells it."""
    confidence: float
    margin: float
    strategy: str
    mean_log_prob: float
    tests: int
    candidates: int
    model: str
    """The served model that invented and solved it."""
    cluster: int | None
    """The program's cluster, by its place in the brief's `consensus`; none for the control's random candidates."""
    cluster_size: int | None
    """Candidates in it."""
    clusters: int
    maintainability: float
    documentation: float
    """Of the program, 0 to 1 (core/quality.py)."""

    @classmethod
    def of(
        cls, ending: pb.Consensus, chosen: pb.Candidate, rank: float, expected: float, split: str = TRAIN
    ) -> "TrainingExample":
        """The row of a selected brief with the program chosen for it."""
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


def table(rows: list[TrainingExample]) -> bytes:
    """The Parquet file; the same rows give the same bytes."""
    columns = {f.name: pa.array([asdict(row)[f.name] for row in rows], TYPES[f.type]) for f in fields(TrainingExample)}  # type: ignore[index]
    file = io.BytesIO()
    pq.write_table(pa.table(columns), file, compression="zstd")
    return file.getvalue()
