"""Questions as they travel, from plain Python values."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from ucoder.client.results import Row, row_messages
from ucoder.v1 import artifacts_pb2 as pb
from ucoder.v1 import config_pb2, consensus_pb2


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """How to select. Every field may be given to `select` by name."""

    strategy: str = "default"
    min_confidence: float = 0.0
    """Abstain below this confidence."""
    strategy_options: Mapping[str, float] = field(default_factory=dict)
    inputs: int = 0
    """Inputs to synthesise when there are no tests; 0 is 64."""
    seed: int = 0
    partial_seconds: float = 0.0
    """After so many seconds of execution, or just before the deadline, answer with what is known; 0: all or nothing."""
    stop_early: bool = False
    max_change: float = 0.0
    """Ending early: the largest probability that another cluster would have won which you accept."""
    cpu_seconds: float = 1.0
    wall_seconds: float = 5.0
    memory_mb: int = 512
    language: str = "python"


Test = str | tuple[str, str]
"""`assert f(1) == 2`, or `f(1)` as an input alone; or a script's standard input and what it should print."""


def select_request(
    programs: Sequence[str],
    tests: Sequence[Test],
    entry_point: str,
    prompt: str,
    mean_log_probs: Sequence[float],
    options: Options,
) -> consensus_pb2.SelectRequest:
    """The request of one selection."""
    return consensus_pb2.SelectRequest(
        programs=programs,
        mean_log_probs=mean_log_probs,
        tests=map(_test, tests),
        entry_point=entry_point,
        prompt=prompt,
        selection=_selection(options),
        limits=config_pb2.ExecutionConfig(
            cpu_seconds=options.cpu_seconds,
            wall_seconds=options.wall_seconds,
            memory_mb=options.memory_mb,
            give_up_after_timeouts=2,
        ),
        language=options.language,
        inputs=options.inputs,
        seed=options.seed,
        partial_seconds=options.partial_seconds,
        stop_early=options.stop_early,
        max_change=options.max_change,
    )


def cluster_request(
    rows: Sequence[Row],
    tests: Sequence[Test],
    programs: Sequence[str],
    mean_log_probs: Sequence[float],
    options: Options,
) -> consensus_pb2.ClusterRequest:
    """The request of a selection from a finished matrix."""
    return consensus_pb2.ClusterRequest(
        rows=row_messages(rows),
        tests=map(_test, tests),
        programs=programs,
        mean_log_probs=mean_log_probs,
        selection=_selection(options),
    )


def _test(test: Test) -> pb.TestCase:
    if isinstance(test, str):
        return pb.TestCase(code=test)
    stdin, expected = test
    return pb.TestCase(stdin=stdin, expected_stdout=expected)


def _selection(options: Options) -> config_pb2.SelectionConfig:
    return config_pb2.SelectionConfig(
        strategy=options.strategy, min_confidence=options.min_confidence, options=options.strategy_options
    )
