"""The results of the clients: frozen dataclasses of plain Python values, without gRPC or protobuf types."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from typing import Any, TypeVar

from ucoder.v1 import artifacts_pb2 as pb
from ucoder.v1 import consensus_pb2

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Cluster:
    """A set of programs that behave alike on all tests."""

    members: tuple[int, ...]
    """The indices of its programs in the request, the preferred program first."""
    score: float
    """The strategy's score, comparable only within one answer."""
    share: float
    """The number of members divided by the number of finished programs."""
    passed: int
    """The number of distinct tests that its programs pass."""


@dataclass(frozen=True, slots=True)
class Disagreement:
    """An input on which the leading clusters differ."""

    input: str
    outputs: tuple[str, ...]
    """The answer of each leading cluster, in the order of the clusters."""
    tests: tuple[str, ...]
    """The tests with this input, which state what they expect."""


@dataclass(frozen=True, slots=True)
class Cost:
    """The work for an answer."""

    programs: int
    """The number of distinct programs that finished."""
    duplicates: int
    """The number of programs that were not run because they equal another one."""
    runs: int
    """The number of distinct finished programs times the number of tests."""
    synthesis_seconds: float
    execution_seconds: float
    selection_seconds: float
    program_seconds: float
    """The sum of the seconds that each program ran."""


@dataclass(frozen=True, slots=True)
class BoundPremise:
    """One premise of Theorem 2.4, measured on the data of a request."""

    name: str
    holds: bool
    """Whether the data agree with the premise."""
    measured: str
    """The measurement, in words."""


@dataclass(frozen=True, slots=True)
class ProbabilityBound:
    """Theorem 2.4 of the paper (arXiv 2512.17385) for the selected cluster, with its premises measured.

    The theorem gives a lower bound of the probability that the cluster holds only correct programs.
    """

    programs: int
    """The number of programs (n)."""
    tests: int
    """The number of tests (|T|)."""
    collision_rate: float | None
    """The measured rate at which two different programs outside the cluster agree on one test (p); None: no pair."""
    effective_tests: float
    """The number of independent tests that would give the same information."""
    required_tests: float
    """The number of tests that the theorem requires."""
    delta: float
    """The probability, assumed by the theorem, that fewer programs are correct than the cluster holds."""
    printed: float
    """The bound with all tests counted as independent."""
    corrected: float
    """The bound with the number of effective tests. Only this one accounts for dependent tests."""
    premises: tuple[BoundPremise, ...]
    sentence: str
    """The bound, and the premises that do not hold, in one sentence."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """A selection, or an abstention, with its evidence."""

    selected: int | None
    """The index of the selected program; None when the strategy abstained."""
    confidence: float
    """From 0 to 1. Where it is calibrated, about this share of selections with this confidence are correct."""
    margin: float
    """The confidence of the best cluster minus that of the second."""
    abstained: bool
    reason: str
    """The reason of an abstention, in snake_case; empty when a program was selected."""
    clusters: tuple[Cluster, ...]
    """The clusters, the best first."""
    disagreements: tuple[Disagreement, ...]
    calibrated: bool
    """Whether the confidence is calibrated, and not just the share of the winning cluster.

    True for the default strategy when any test was run.
    """
    test_plausibility: tuple[float, ...]
    """The plausibility of each test, from 0 to 1; empty where the strategy does not judge tests."""
    theorem_bound: ProbabilityBound | None = None
    """Set when the request asked for it and a program was selected."""


@dataclass(frozen=True, slots=True)
class ProgramReason:
    """The reason why a program gave no result on most tests, or a wrong one."""

    program: int
    """Its index in the request."""
    cause: str
    """`no_function`, `needs_package`, `syntax_error`, `markdown`, `times_out`, `raises`, `limit` or `wrong`."""
    words: str
    """The reason in words, without its subject: `defines no function f`."""


@dataclass(frozen=True, slots=True)
class Answer:
    """The verdict on programs that the service executed."""

    verdict: Verdict
    program: str | None
    """The text of the selected program; None when the strategy abstained."""
    tests: tuple[str, ...]
    """The tests that were run: the request's own, or synthesised ones. For a script: its standard input."""
    entry_point: str
    cost: Cost
    finished: int
    """The number of programs that had finished."""
    stopped: str
    """Why execution stopped before all programs had finished; empty when it did not.

    `settled`: the answer cannot change, or only with a probability that the request accepts. `partial`: the time was
    over.
    """
    change: float
    """The probability that the unfinished programs would have made another cluster win."""
    reasons: tuple[ProgramReason, ...] = ()
    """For each program that gave no result on most tests, or a wrong one, the reason."""
    explanation: str = ""
    """A sentence with the commonest reason, when no program can be selected."""
    final: bool = True
    """Whether this is the last answer of a stream."""


@dataclass(frozen=True, slots=True)
class Row:
    """The outcomes of one program on every test, for `cluster`."""

    outcomes: Sequence[str]
    """The names of the sandbox's outcomes: `passed`, `failed`, `exception`, `timeout_cpu`, ..."""
    outputs: Sequence[str] = ()
    """The canonical text of each call's result; empty where a test has none."""


def verdict_of(message: consensus_pb2.Verdict) -> Verdict:
    """Returns the verdict in a message."""
    return _with_fields(
        Verdict,
        message,
        selected=message.selected if message.HasField("selected") else None,
        clusters=tuple(_with_fields(Cluster, one, members=tuple(one.members)) for one in message.clusters),
        disagreements=tuple(
            Disagreement(one.input, tuple(one.outputs), tuple(one.tests)) for one in message.disagreements
        ),
        test_plausibility=tuple(message.test_plausibility),
        theorem_bound=_bound_of(message.theorem_bound) if message.HasField("theorem_bound") else None,
    )


def answer_of(message: consensus_pb2.SelectResponse, programs: Sequence[str], final: bool = True) -> Answer:
    """Returns the answer in a message. `programs` are those of the request."""
    verdict = verdict_of(message.verdict)
    return _with_fields(
        Answer,
        message,
        verdict=verdict,
        program=None if verdict.selected is None else programs[verdict.selected],
        tests=tuple(test.code or test.stdin for test in message.tests),
        cost=_with_fields(Cost, message.cost),
        reasons=tuple(_with_fields(ProgramReason, one) for one in message.reasons),
        final=final,
    )


def row_messages(rows: Sequence[Row]) -> Iterator[pb.Row]:
    """Yields the messages of the rows. Raises ValueError for an outcome that does not exist."""
    for number, row in enumerate(rows):
        codes = [pb.Outcome.Value(f"OUTCOME_{outcome.upper()}") for outcome in row.outcomes]
        yield pb.Row(program=number, outcomes=codes, outputs=row.outputs)


def _bound_of(message: consensus_pb2.TheoremBound) -> ProbabilityBound:
    return _with_fields(
        ProbabilityBound,
        message,
        collision_rate=message.collision_rate if message.HasField("collision_rate") else None,
        premises=tuple(_with_fields(BoundPremise, one) for one in message.premises),
    )


def _with_fields(kind: type[T], message: Any, **converted: Any) -> T:
    """Returns a dataclass of this kind: the converted values, and the message's own for all other fields."""
    own = {field.name: getattr(message, field.name) for field in fields(kind) if field.name not in converted}  # type: ignore[arg-type]
    return kind(**own, **converted)
