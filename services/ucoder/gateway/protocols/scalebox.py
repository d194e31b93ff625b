"""ScaleBox's paths: all cases of a program in one request.

Unlike the original, whole outputs are compared, values are compared outside the program's process, the cases keep their
order, and no case at all is a wrong request.
"""

from collections.abc import Sequence
from typing import Any

from starlette.responses import JSONResponse, Response

from ucoder.errors import Reject
from ucoder.gateway.program_calls import ProgramCalls
from ucoder.gateway.protocols.case_judging import CaseJudge
from ucoder.gateway.protocols.fusion_runs import FieldReader, Json, read_body
from ucoder.gateway.protocols.submissions import Submission, batch_cases
from ucoder.gateway.request_checks import Incoming


class ScaleBoxPaths:
    """The handlers of the paths."""

    def __init__(self, calls: ProgramCalls) -> None:
        self._judge = CaseJudge(calls)

    async def evaluate_batch(self, incoming: Incoming) -> Response:
        """Judges a completion on the cases of `config.provided_data.test_cases`."""
        submission, data = _read(incoming)
        cases = data.get("test_cases") if isinstance(data, dict) else None
        return JSONResponse(await self._judged(submission, *batch_cases(cases), incoming))

    async def evaluate(self, incoming: Incoming) -> Response:
        """Judges a completion on a list of cases, each with a type of its own."""
        submission, data = _read(incoming)
        if not isinstance(data, list) or not data:
            raise Reject("config.provided_data: expected a list with at least one case.")
        results = []
        for case in data:
            single = (
                {**case, "input": [case.get("input")], "output": [case.get("output")]}
                if isinstance(case, dict)
                else case
            )
            results.append(await self._judged(submission, *batch_cases(single), incoming))
            if not results[-1]["accepted"] and not submission.all_cases:
                break
        tests = [test for result in results for test in result["tests"]]
        return JSONResponse({**results[0], "tests": tests, "accepted": all(one["accepted"] for one in results)})

    async def _judged(self, submission: Submission, kind: str, cases: Sequence[Any], incoming: Incoming) -> Json:
        if kind == "stdin_stdout":
            return await self._judge.judge_outputs(submission, cases, incoming)
        if kind == "function_call":
            return await self._judge.judge_calls(submission, cases, incoming)
        return await self._judge.judge_asserts(submission, cases[0], incoming)


def _read(incoming: Incoming) -> tuple[Submission, Any]:
    body = read_body(incoming.json())
    config = FieldReader(body.get("config", dict, {}, required=True), ("body", "config"))
    completion = body.get("completion", str, "", required=True)
    identifier = body.get("id", (int, str), 0)
    body.check()
    return Submission.read(identifier, completion, config), config.values.get("provided_data")
