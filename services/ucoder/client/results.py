"""Answers as plain Python: frozen dataclasses, nothing of gRPC or protobuf in them."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ucoder.v1 import artifacts_pb2 as pb
from ucoder.v1 import consensus_pb2


@dataclass(frozen=True, slots=True)
class Cluster:
    """Programs that behave alike."""

    members: tuple[int, ...]
    """Indices into the programs that were sent, the preferred one first."""
    score: float
    """The strategy's own; comparable only within one answer."""
    share: float
    """Members over all finished programs."""
    passed: int
    """Distinct tests its programs pass."""


@dataclass(frozen=True, slots=True)
class Disagreement:
    """An input on which the leading clusters differ."""

    input: str
    outputs: tuple[str, ...]
    """What each of the leading clusters answers, in their order."""
    tests: tuple[str, ...]
    """The tests that ask this, with what they claim."""


@dataclass(frozen=True, slots=True)
class Cost:
    """What an answer took."""

    programs: int
    """Distinct programs that were run."""
    duplicates: int
    """Programs that were not run because they equal another."""
    runs: int
    """Programs times tests."""
    synthesis_seconds: float
    execution_seconds: float
    selection_seconds: float
    program_seconds: float
    """Seconds that the programs themselves ran."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """Which program, how sure, and why."""

    selected: int | None
    """Index of the program; None when it abstained."""
    confidence: float
    """About this share of selections with such a confidence are right."""
    margin: float
    """Confidence of the best cluster minus that of the second."""
    abstained: bool
    reason: str
    """Why it abstained, snake_case; empty when it did not."""
    clusters: tuple[Cluster, ...]
    """Best first."""
    disagreements: tuple[Disagreement, ...]
    calibrated: bool
    """Whether the confidence is more than the cluster's share: the default strategy's is, where anything was run."""
    test_plausibility: tuple[float, ...]
    """How far each test is believed, 0 to 1; empty where the strategy does not judge tests."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A verdict on programs that were executed for it."""

    verdict: Verdict
    program: str | None
    """The selected program's text."""
    tests: tuple[str, ...]
    """The tests that were run: those sent, or those synthesised. A script's test is its standard input."""
    entry_point: str
    cost: Cost
    finished: int
    """Programs that had finished."""
    stopped: str
    """Why not all of them: `settled` (the answer cannot change), `partial` (the time was up); empty when all did."""
    change: float
    """Probability that the unfinished programs would have made another cluster win."""
    final: bool = True
    """Whether another answer follows in a stream."""


@dataclass(frozen=True, slots=True)
class Row:
    """What one program did on every test, for `cluster`."""

    outcomes: Sequence[str]
    """`passed`, `failed`, `exception`, `timeout_cpu`, ...: the names of the sandbox's outcomes."""
    outputs: Sequence[str] = ()
    """Canonical text of what each call returned; empty where a test has none."""


def verdict_of(message: consensus_pb2.Verdict) -> Verdict:
    """A verdict out of its message."""
    return Verdict(
        selected=message.selected if message.HasField("selected") else None,
        confidence=message.confidence,
        margin=message.margin,
        abstained=message.abstained,
        reason=message.reason,
        clusters=tuple(Cluster(tuple(one.members), one.score, one.share, one.passed) for one in message.clusters),
        disagreements=tuple(
            Disagreement(one.input, tuple(one.outputs), tuple(one.tests)) for one in message.disagreements
        ),
        calibrated=message.calibrated,
        test_plausibility=tuple(message.test_plausibility),
    )


def answer_of(message: consensus_pb2.SelectResponse, programs: Sequence[str], final: bool = True) -> Answer:
    """An answer out of its message and the programs it speaks of."""
    verdict, cost = verdict_of(message.verdict), message.cost
    return Answer(
        verdict=verdict,
        program=None if verdict.selected is None else programs[verdict.selected],
        tests=tuple(test.code or test.stdin for test in message.tests),
        entry_point=message.entry_point,
        cost=Cost(
            cost.programs,
            cost.duplicates,
            cost.runs,
            cost.synthesis_seconds,
            cost.execution_seconds,
            cost.selection_seconds,
            cost.program_seconds,
        ),
        finished=message.finished,
        stopped=message.stopped,
        change=message.change,
        final=final,
    )


def row_messages(rows: Sequence[Row]) -> Iterator[pb.Row]:
    """Rows as they travel; ValueError on an outcome that does not exist."""
    for number, row in enumerate(rows):
        codes = [pb.Outcome.Value(f"OUTCOME_{outcome.upper()}") for outcome in row.outcomes]
        yield pb.Row(program=number, outcomes=codes, outputs=row.outputs)
