"""SandboxFusion's HTTP interface: /run_code, /submit and the data set paths, for rows that the request itself holds.

Three things differ from the original, each without breaking a caller. A failure of the platform is 504 with the usual
body, because that is the one status which every retrying client retries (`UCODER_GATEWAY_FAULTS=200` gives the old
habit). Output beyond a limit is cut and marked instead of becoming a time limit. A verdict never rests on the exit code
of a process that the program owns.
"""

from collections.abc import Callable
from typing import Any

from starlette.responses import JSONResponse, Response

from ucoder.errors import Reject, Retry, UcoderError
from ucoder.gateway.error_answers import retry_after, status_of
from ucoder.gateway.program_calls import ProgramCalls
from ucoder.gateway.protocols.case_judging import CaseJudge
from ucoder.gateway.protocols.fusion_runs import (
    OURS,
    FieldReader,
    InvalidBody,
    Json,
    fault_answer,
    read_body,
    read_run,
    run_answer,
)
from ucoder.gateway.protocols.submissions import Submission
from ucoder.gateway.request_checks import Incoming


def error_style(faults: str) -> Callable[[UcoderError], Response]:
    """Returns the style of errors: the protocol's `detail`, and a SandboxError where the platform failed."""

    def style(error: UcoderError) -> Response:
        if isinstance(error, InvalidBody):
            return JSONResponse({"detail": error.details}, 422)
        if isinstance(error, Retry):
            return JSONResponse(fault_answer(f"platform: {error}"), int(faults), dict(retry_after(error)))
        return JSONResponse({"detail": str(error)}, status_of(error))

    return style


class SandboxFusionPaths:
    """The handlers of the paths."""

    def __init__(self, calls: ProgramCalls) -> None:
        self._calls, self._judge = calls, CaseJudge(calls)

    async def run_code(self, incoming: Incoming) -> Response:
        """Runs one program."""
        run = read_run(incoming.json())
        if run.language not in OURS:
            return JSONResponse(fault_answer(f"language: {run.language} cannot run here; there are {', '.join(OURS)}."))
        try:
            return JSONResponse(run_answer(await self._calls.run(run.request, incoming, run.seconds)))
        except Reject as error:
            return JSONResponse(fault_answer(str(error)))

    async def submit(self, incoming: Incoming) -> Response:
        """Judges one completion on the tests of the row that comes with it."""
        body = read_body(incoming.json())
        body.get("dataset", str, "", required=True)
        config = FieldReader(body.get("config", dict, {}, required=True), ("body", "config"))
        completion = body.get("completion", str, "", required=True)
        identifier = body.get("id", (int, str), 0, required=True)
        body.check()
        row = _rows(config, single=True)[0]
        submission = Submission.read(identifier, completion, config, language_required="AutoEval" not in _type(config))
        if "AutoEval" in _type(config):
            return JSONResponse(await self._judge.judge_code_test(submission, _object(row, "test"), row, incoming))
        cases = [Submission.stdio_case(case) for case in _list(row, "test")]
        return JSONResponse(await self._judge.judge_outputs(submission, cases, incoming))

    async def get_prompts(self, incoming: Incoming) -> Response:
        """Returns the prompts of the rows that come with the request."""
        body = read_body(incoming.json())
        config = FieldReader(body.get("config", dict, {}, required=True), ("body", "config"))
        offset, limit = body.get("offset", int, 0), body.get("limit", int, 1_000_000)
        body.check()
        rows = _rows(config, single=False)[offset : offset + limit]
        return JSONResponse([_prompt(row, config) for row in rows])

    async def get_prompt_by_id(self, incoming: Incoming) -> Response:
        """Returns the prompt of the row that comes with the request."""
        body = read_body(incoming.json())
        config = FieldReader(body.get("config", dict, {}, required=True), ("body", "config"))
        body.check()
        return JSONResponse(_prompt(_rows(config, single=True)[0], config))

    async def list_ids(self, incoming: Incoming) -> Response:
        """Returns the ids of the rows that come with the request."""
        body = read_body(incoming.json())
        config = FieldReader(body.get("config", dict, {}, required=True), ("body", "config"))
        body.check()
        return JSONResponse([row.get("id", 0) for row in _rows(config, single=False)])

    async def list_datasets(self, incoming: Incoming) -> Response:
        """Returns no data set, because none is stored here."""
        return JSONResponse([])

    async def get_metrics(self, incoming: Incoming) -> Response:
        """Returns the share of accepted results."""
        results = read_body(incoming.json()).get("results", list, [])
        accepted = [bool(one.get("accepted")) for one in results if isinstance(one, dict)]
        return JSONResponse({"accuracy": sum(accepted) / len(accepted)} if accepted else {})

    async def get_metrics_function(self, incoming: Incoming) -> Response:
        """Returns no function."""
        read_body(incoming.json())
        return JSONResponse({"function": None})

    async def ping(self, incoming: Incoming) -> Response:
        """Answers a liveness probe."""
        return JSONResponse("pong")


def _type(config: FieldReader) -> str:
    return str(config.values.get("dataset_type") or "CommonOJDataset")


def _rows(config: FieldReader, *, single: bool) -> list[Json]:
    """Returns the rows in `provided_data`. Raises Reject for other shapes, and for types that are not known here."""
    if not any(name in _type(config) for name in ("CommonOJ", "AutoEval")):
        raise Reject(
            f"config.dataset_type: {_type(config)[:80]} is not served here; CommonOJDataset and AutoEvalDataset are."
        )
    data: Any = config.values.get("provided_data")
    rows = [data] if single else data
    if not isinstance(rows, list) or not rows or not all(isinstance(row, dict) for row in rows):
        raise Reject(
            f"config.provided_data: expected {'one row' if single else 'a list of rows'}; no data set is stored here."
        )
    return rows


def _prompt(row: Json, config: FieldReader) -> Json:
    text = str(row.get("content", row.get("prompt", "")))
    if "CommonOJ" in _type(config):
        language = config.values.get("language") or "python"
        text += (
            f"\n\nWrite a complete {language} program. It reads its input from standard input and writes its output to "
            "standard output."
        )
    labels = row.get("labels") or {}
    return {
        "id": row.get("id", 0),
        "prompt": text,
        "labels": labels if isinstance(labels, dict) else _object(row, "labels"),
    }


def _object(row: Json, key: str) -> Json:
    value = _decoded(row, key)
    if not isinstance(value, dict):
        raise Reject(f"config.provided_data.{key}: expected an object.")
    return value


def _list(row: Json, key: str) -> list[Any]:
    value = _decoded(row, key)
    if not isinstance(value, list) or not value:
        raise Reject(f"config.provided_data.{key}: expected a list with at least one test.")
    return value


def _decoded(row: Json, key: str) -> Any:
    value = row.get(key)
    if isinstance(value, str):
        import json

        try:
            return json.loads(value)
        except (ValueError, RecursionError):
            raise Reject(f"config.provided_data.{key}: not JSON.") from None
    return value
