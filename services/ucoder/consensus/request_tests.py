"""The tests of a selection request: the caller's own, or inputs synthesised where the caller gives none."""

from collections.abc import Sequence

from ucoder.core.input_synthesis import (
    MOST_PROGRAMS,
    UnclearSignature,
    entry_point_of,
    programs_to_read,
    read_signature,
)
from ucoder.core.input_synthesis.input_drawing import draw_tests
from ucoder.core.test_plans import Test
from ucoder.errors import NoInputs
from ucoder.v1 import artifacts_pb2 as pb
from ucoder.v1 import consensus_pb2

INPUTS = 64
"""The number of inputs where the caller names none."""


def tests_of_request(request: consensus_pb2.SelectRequest) -> tuple[str, Sequence[pb.TestCase]]:
    """Returns the name of the function that is called, and the tests. Raises NoInputs where there are none."""
    if request.tests:
        codes = [test.code for test in request.tests[:MOST_PROGRAMS]]
        programs = programs_to_read(request.programs)
        return request.entry_point or entry_point_of(request.prompt, programs, codes), request.tests
    if request.language == "javascript":
        raise NoInputs("tests: none given; inputs can be made for Python only, send calls such as `f(1)`.")
    entry_point, tests = synthesise_tests(
        request.prompt, request.programs, request.entry_point, inputs=request.inputs, seed=request.seed
    )
    return entry_point, [pb.TestCase(code=test.code, count=test.count) for test in tests]


def synthesise_tests(
    prompt: str, programs: Sequence[str], entry_point: str = "", *, inputs: int = 0, seed: int = 0
) -> tuple[str, list[Test]]:
    """Returns the function's name and tests for it: the task's examples as asserts, then calls with literal arguments.

    The inputs are distinct, at most `inputs` in all (0: 64). Equal arguments give equal tests. Raises NoInputs, naming
    what is missing, where neither the prompt nor the programs show what the function takes.
    """
    try:
        signature = read_signature(prompt, programs, entry_point)
    except UnclearSignature as error:
        raise NoInputs(f"tests: none given, and no inputs can be made. {error}") from None
    return signature.entry_point, draw_tests(signature, inputs or INPUTS, seed)
