"""The requests of the clients: protobuf messages made from plain Python values."""

from collections.abc import Mapping, Sequence
from typing import Any, TypedDict

from ucoder.client.results import Row, row_messages
from ucoder.v1 import artifacts_pb2 as pb
from ucoder.v1 import config_pb2, consensus_pb2

Test = str | tuple[str, str]
"""`assert f(1) == 2`, or `f(1)`, an input alone. For a script: its standard input and the output that is expected."""


class Options(TypedDict, total=False):
    """The keywords of `select` and `select_stream`, all of them optional.

    The default of each is 0, empty or False unless `DEFAULTS` gives another. `cluster` executes nothing and uses only
    the first five.
    """

    strategy: str
    """The name of the selection strategy."""
    strategy_options: Mapping[str, float]
    """The options of the strategy, by name."""
    min_confidence: float
    """The strategy abstains below this confidence."""
    mean_log_probs: Sequence[float]
    """The mean token log-probability of each program, which breaks ties."""
    theorem_bound: bool
    """Add the bound of Theorem 2.4 to the verdict."""
    entry_point: str
    """The name of the function that is called. Empty: the service finds it in the prompt, the tests or the programs."""
    prompt: str
    """The text of the task: signature and docstring."""
    inputs: int
    """The number of inputs to synthesise when there are no tests. 0: 64."""
    seed: int
    """The seed of the synthesised inputs."""
    partial_seconds: float
    """Answer from the finished programs after so many seconds of execution, or just before the deadline; 0: never."""
    stop_early: bool
    """`select` may end early, as `select_stream` does."""
    max_change: float
    """For ending early: the largest accepted probability that another cluster would have won."""
    cpu_seconds: float
    """CPU time limit of one program on one test."""
    wall_seconds: float
    """Wall-clock limit of one program on one test."""
    memory_mb: int
    """Memory limit of one program."""
    language: str
    """`python` or `javascript`."""


DEFAULTS: Options = {
    "strategy": "default",
    "cpu_seconds": 1.0,
    "wall_seconds": 5.0,
    "memory_mb": 512,
    "language": "python",
}
SELECTION_OPTIONS = ("strategy", "strategy_options", "min_confidence")
LIMIT_OPTIONS = ("cpu_seconds", "wall_seconds", "memory_mb")
CLUSTER_OPTIONS = ("mean_log_probs", "theorem_bound")
"""The options that are fields of a `ClusterRequest` itself."""


def select_request(programs: Sequence[str], tests: Sequence[Test], options: Options) -> consensus_pb2.SelectRequest:
    """Returns the request of one selection. Raises TypeError for an option that does not exist."""
    chosen = _with_defaults(options)
    limits = {name: chosen.pop(name) for name in LIMIT_OPTIONS}
    return consensus_pb2.SelectRequest(
        programs=programs,
        tests=map(_test_message, tests),
        selection=_pop_selection(chosen),
        limits=config_pb2.ExecutionConfig(**limits, give_up_after_timeouts=2),
        **chosen,
    )


def cluster_request(
    rows: Sequence[Row], tests: Sequence[Test], programs: Sequence[str], options: Options
) -> consensus_pb2.ClusterRequest:
    """Returns the request of a selection from a finished matrix. Raises TypeError for an option that does not exist."""
    chosen = _with_defaults(options)
    return consensus_pb2.ClusterRequest(
        rows=row_messages(rows),
        tests=map(_test_message, tests),
        programs=programs,
        selection=_pop_selection(chosen),
        **{name: chosen[name] for name in CLUSTER_OPTIONS if name in chosen},
    )


def _with_defaults(options: Options) -> dict[str, Any]:
    known = Options.__annotations__
    unknown = sorted(set(options) - set(known))
    if unknown:
        raise TypeError(f"no option is called {unknown[0]!r}; there are {', '.join(known)}")
    return {**DEFAULTS, **options}


def _test_message(test: Test) -> pb.TestCase:
    if isinstance(test, str):
        return pb.TestCase(code=test)
    stdin, expected = test
    return pb.TestCase(stdin=stdin, expected_stdout=expected)


def _pop_selection(options: dict[str, Any]) -> config_pb2.SelectionConfig:
    """Removes the options of the strategy and returns them as a message."""
    given = {name: options.pop(name) for name in SELECTION_OPTIONS if name in options}
    return config_pb2.SelectionConfig(options=given.pop("strategy_options", {}), **given)
