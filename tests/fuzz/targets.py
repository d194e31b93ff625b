"""The fuzz targets: all our code that reads what a model, a caller, a cell or a disk wrote.

A target may refuse an input with the errors of its contract. Any other exception, and any input that takes seconds, is
a bug of ours.
"""

import json
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random

from tests.fuzz.mutations import filled, mutated

from ucoder.consensus.matrix_messages import matrix_of, ordered_rows
from ucoder.core import extraction, fork_safety, problem_parsing
from ucoder.core.generated_tests import read_tests
from ucoder.core.input_synthesis import UnclearSignature, read_signature
from ucoder.core.output_comparison import DEFAULT, same_output
from ucoder.core.ratings import read_rating
from ucoder.core.selection import select
from ucoder.core.test_plans import CallPlan, Test, read_plan
from ucoder.core.value_comparison import judge
from ucoder.core.values import Unreadable, parse
from ucoder.errors import Reject
from ucoder.runtime.messaging.bus import parse_ref
from ucoder.runtime.storage.artifacts import TYPES, _decode
from ucoder.runtime.validation import validate
from ucoder.sandbox_runner.guest.cell_protocol import CellProgram, CellTest
from ucoder.sandbox_runner.host.cell import read_report
from ucoder.sandbox_runner.judging.block_tests import read_steps
from ucoder.sandbox_runner.languages import language
from ucoder.v1 import artifacts_pb2 as pb
from ucoder.v1 import (
    consensus_pb2,
    evaluator_pb2,
    generator_pb2,
    runs_pb2,
    sandbox_pb2,
    test_synth_pb2,
    trainer_pb2,
)

PROGRAMS = (
    b"def f(x: int, y=[1]) -> int:\n    '''Adds.\n\n    >>> f(1)\n    2\n    '''\n    return x + len(y)\n",
    b"import math\nclass A:\n    def __init__(self):\n        self.x = 1\ndef f(x):\n    return [A().x] * x\n",
    b"Here it is:\n```python\ndef f(x):\n    return {k: v for k, v in x.items()}\n```\nI hope it helps.",
    b"    if x > 0:\n        return x\n    return -x\n# solution\nassert f(1) == 1\n",
)
TESTS = (
    b"assert f(1) == 2",
    b"f([1, 2], {'a': (1.5, None)}, b'x', 1j)",
    b"assert f('a') is True, 'why'",
    b"assert not f(2**10)",
    b"for i in range(3):\n    assert f(i) == i\n",
    b"assert sorted(f([3])) == [3]",
    b"f(x=1, *[2])",
)
VALUES = (
    b"[1, 2.5, 'a', None, True]",
    b"{'a': (1,), 2: {3}}",
    b"!ValueError: no",
    b"b'\\x00'",
    b"nan",
    b"-0.0",
    b"frozenset({1})",
    b"array([1, 2], 'int64', (2,))",
    b"(1, (2, (3,)))",
)
STATEMENTS = (
    b'def add_all(numbers: list[int]) -> int:\n    """Sum of all.\n\n    >>> add_all([1])\n    1\n    """\n',
    b"Title: Sums\nDescription: adds\nSignature: def f(x: int) -> int:\nExample: f(1) == 2\nHint: add\n",
)
JOB = {
    "programs": [CellProgram(0, "", True), CellProgram(1, "", True)],
    "tests": [[CellTest("call", "f(1)"), CellTest("script", "")]],
    "limits": {"output_kb": 1},
    "most_reports": 9,
}
REPORTS = (
    json.dumps({"program": 1, "results": [["ok", "1", 0.1], ["stdout", "x", 0.2]]}).encode(),
    json.dumps({"program": 0, "test": 1, "result": ["timeout_cpu", "", 1]}).encode(),
    json.dumps({"program": 0, "results": [], "doubt": "builtins"}).encode(),
)
REF = b'{"kind":"problem","run":"r","name":"001-000001","sha256":"' + b"a" * 64 + b'"}'
STEPS = (b'[["call","f","[1]","{}",""]]', b"[]")
STORED = pb.Consensus(
    brief=pb.Brief(run="r", iteration=1), ending=pb.ENDING_SELECTED, clusters=[pb.Cluster(members=[0])]
)
REQUESTS = [
    getattr(module, name)
    for module in (consensus_pb2, evaluator_pb2, generator_pb2, runs_pb2, sandbox_pb2, test_synth_pb2, trainer_pb2)
    for name in module.DESCRIPTOR.message_types_by_name
    if name.endswith("Request")
]


@dataclass(frozen=True, slots=True)
class Target:
    """A reader to fuzz: `make` makes an input, `feed` reads it, and `refusals` are the errors of its contract."""

    name: str
    make: Callable[[Random], object]
    feed: Callable[..., object]
    refusals: tuple[type[Exception], ...] = ()


def _bytes(seeds: Sequence[bytes]) -> Callable[[Random], bytes]:
    return lambda random: mutated(random, seeds)


def _text(seeds: Sequence[bytes]) -> Callable[[Random], str]:
    return lambda random: mutated(random, seeds).decode(
        "utf-8", "surrogateescape" if random.random() < 0.1 else "replace"
    )


def _stored(random: Random) -> bytes:
    if random.random() < 0.5:
        return mutated(random, [zlib.compress(STORED.SerializeToString())])
    return zlib.compress(mutated(random, [STORED.SerializeToString()]))


def _judge(pair: tuple[str, str]) -> None:
    plan = read_plan(Test(code=pair[0]), "f")
    if isinstance(plan, CallPlan):
        judge(plan, pair[1])


def _select(request: consensus_pb2.ClusterRequest) -> None:
    matrix = matrix_of(ordered_rows(request.rows), request.tests)
    if matrix.shape[0] and matrix.shape[1]:
        select(matrix)


def _rows(random: Random) -> consensus_pb2.ClusterRequest:
    tests = [pb.TestCase(code=random.choice(TESTS).decode()) for _ in range(random.randint(1, 4))]
    rows = [filled(random, pb.Row(), 0) for _ in range(random.randint(1, 5))]
    for number, row in enumerate(rows):
        if random.random() < 0.9:
            row.program = number
            del row.outcomes[:], row.outputs[:]
            row.outcomes.extend(random.choice(pb.Outcome.values()) for _ in tests)
            row.outputs.extend(mutated(random, VALUES).decode("utf-8", "replace") for _ in tests)
    return consensus_pb2.ClusterRequest(rows=rows, tests=tests)


TARGETS = (
    Target("bus message", _bytes([REF]), parse_ref, (Reject,)),
    Target("stored artefact", _stored, lambda data: _decode(TYPES["consensus"], data), (Reject,)),
    Target("request rules", lambda random: filled(random, random.choice(REQUESTS)()), validate, (Reject,)),
    Target("cell report", _bytes(REPORTS), lambda data: read_report(data, JOB)),
    Target("judge's steps", _text(STEPS), read_steps),
    Target("value", _text(VALUES), parse, (Unreadable,)),
    Target("equal values", lambda r: (_text(VALUES)(r), _text(VALUES)(r)), lambda two: same_output(DEFAULT, *two)),
    Target("verdict", lambda r: (_text(TESTS)(r), _text(VALUES)(r)), _judge),
    Target("test", _text(TESTS), lambda text: read_plan(Test(code=text), "f")),
    Target("whole-file test", _text(TESTS), lambda text: read_plan(Test(code=text), "f", True)),
    Target("javascript test", _text(TESTS), lambda text: language("javascript").read_plan(Test(code=text), "f", False)),
    Target("fork safety", _text(PROGRAMS), fork_safety.check_program),
    Target("completion", _text(PROGRAMS), lambda text: extraction.extract_program(text, "def f(x):\n", "f")),
    Target("normal form", _text(PROGRAMS), extraction.normal_form),
    Target("statement", _text(STATEMENTS), problem_parsing.read_statement, (problem_parsing.UnusableProblem,)),
    Target("rating", _text([b"4", b"Rating: 3/5"]), read_rating),
    Target("skeleton", _text(PROGRAMS), lambda text: problem_parsing.read_skeleton("def f(x):\n", text)),
    Target("written tests", _text(TESTS), lambda text: read_tests([text], "f", 10)),
    Target("signature", _text(PROGRAMS), lambda text: read_signature("", [text], ""), (UnclearSignature,)),
    Target("selection", _rows, _select, (Reject,)),
)
