"""The code API of open-instruct: a program and its tests in, a list of 0 and 1 out.

Tests that are compressed and pickled are read by a reader that admits plain values alone. A test that never ran is 504
and not 0, because its caller trains on a 0.
"""

import ast
import json
from typing import Any

from starlette.responses import JSONResponse, Response

from ucoder.errors import Retry, UcoderError
from ucoder.gateway.error_answers import retry_after, status_of
from ucoder.gateway.program_calls import ProgramCalls
from ucoder.gateway.protocols.fusion_runs import MARGIN_SECONDS, FieldReader, InvalidBody, Json, read_body
from ucoder.gateway.protocols.output_rules import token_equal
from ucoder.gateway.request_checks import Incoming
from ucoder.runtime.plain_pickle import read_packed
from ucoder.v1 import artifacts_pb2 as pb
from ucoder.v1 import config_pb2, sandbox_pb2

LARGEST_TESTS = 64 << 20
"""The most bytes of unpacked tests."""
SHORTEST_SECONDS = 0.05


class OpenInstructPaths:
    """The handlers of the paths."""

    def __init__(self, calls: ProgramCalls) -> None:
        self._calls = calls

    async def health(self, incoming: Incoming) -> Response:
        """Answers a probe."""
        return JSONResponse({"status": "healthy"})

    async def test_program(self, incoming: Incoming) -> Response:
        """Judges a program by asserts, each on its own."""
        program, tests, seconds = _read(incoming)
        if not tests:
            return JSONResponse({"results": [], "runtimes": []})
        request = sandbox_pb2.ExecuteRequest(
            programs=[program],
            tests=[pb.TestCase(code=str(test)) for test in tests],
            limits=config_pb2.ExecutionConfig(
                cpu_seconds=seconds, wall_seconds=2 * seconds, memory_mb=2048, give_up_after_timeouts=5
            ),
        )
        [row] = await self._calls.execute(request, incoming, _patience(seconds))
        passed = [outcome == pb.OUTCOME_PASSED for outcome in row.outcomes]
        return JSONResponse(_results(passed, list(row.seconds)))

    async def test_program_stdio(self, incoming: Incoming) -> Response:
        """Judges a script by its output for each input."""
        program, tests, seconds = _read(incoming)
        if not tests:
            return JSONResponse({"results": [], "runtimes": []})
        pairs = [_pair(test, number) for number, test in enumerate(tests)]
        request = sandbox_pb2.ExecuteRequest(
            programs=[program],
            tests=[pb.TestCase(stdin=stdin) for stdin, _ in pairs],
            limits=config_pb2.ExecutionConfig(
                cpu_seconds=seconds, wall_seconds=2 * seconds, memory_mb=2048, give_up_after_timeouts=5
            ),
        )
        [row] = await self._calls.execute(request, incoming, _patience(seconds))
        passed = [
            outcome == pb.OUTCOME_RETURNED and token_equal(printed, expected)
            for outcome, printed, (_, expected) in zip(row.outcomes, row.outputs, pairs, strict=True)
        ]
        return JSONResponse(_results(passed, list(row.seconds)))


def error_style(error: UcoderError) -> Response:
    """Returns an error with the protocol's `detail`. A failure of the platform is 504, which proxies know."""
    if isinstance(error, InvalidBody):
        return JSONResponse({"detail": error.details}, 422)
    status = 504 if isinstance(error, Retry) else status_of(error)
    return JSONResponse({"detail": str(error)}, status, dict(retry_after(error)))


def _read(incoming: Incoming) -> tuple[str, list[Any], float]:
    """Returns program, tests and seconds of one test. Raises InvalidBody."""
    body = read_body(incoming.json())
    program = body.get("program", str, "", required=True)
    seconds = body.get("max_execution_time", (int, float), 1.0)
    if not 0 < seconds <= 600:
        body.complain("max_execution_time", "range", "Input should be greater than 0 and at most 600")
    if "tests" not in body.values:
        body.complain("tests", "missing", "Field required")
    tests = _tests(body)
    body.check()
    return program, tests, max(float(seconds), SHORTEST_SECONDS)


def _tests(body: FieldReader) -> list[Any]:
    value = body.values.get("tests")
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except (ValueError, RecursionError):
            value = _unpacked(value)
    if not isinstance(value, list):
        body.complain("tests", "list", "Input should be a list, its JSON text, or base64 of a compressed pickled list")
        return []
    return value


def _unpacked(text: str) -> Any:
    """Returns the plain values in base64(zlib(pickle)), or None."""
    try:
        value = read_packed(text, LARGEST_TESTS)
        return json.loads(value) if isinstance(value, str) else value
    except (ValueError, RecursionError):
        return None


def _pair(test: Any, number: int) -> tuple[str, str]:
    if isinstance(test, str):
        try:
            test = ast.literal_eval(test)
        except (ValueError, SyntaxError, MemoryError, RecursionError):
            test = None
    if not isinstance(test, dict) or not {"input", "output"} <= set(test):
        message = 'Input should be an object with "input" and "output"'
        raise InvalidBody([{"type": "dict", "loc": ["body", "tests", number], "msg": message}])
    return str(test["input"]), str(test["output"])


def _patience(seconds: float) -> float:
    """Returns how long the caller waits: its client's timeout is between 30 and 300 s, by the time of one test."""
    return max(30.0, min(300.0, 10 * seconds)) - min(MARGIN_SECONDS, 3.0)


def _results(passed: list[bool], seconds: list[float]) -> Json:
    runtimes = [round(spent, 6) if one else -1.0 for one, spent in zip(passed, seconds, strict=True)]
    return {"results": list(map(int, passed)), "runtimes": runtimes}
