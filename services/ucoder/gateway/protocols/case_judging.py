"""Judges a submission case by case. Outputs are compared here and calls by the sandbox, so no program decides itself.

The cases keep their order and number. A case that the platform could not run is an error of the whole request, because
a list with a gap would count as a wrong program.
"""

import asyncio
import base64
import binascii
import json
import time
from collections.abc import Sequence
from typing import Any

from ucoder.core.fork_safety import check_program
from ucoder.errors import Reject
from ucoder.gateway.program_calls import ProgramCalls
from ucoder.gateway.protocols.fusion_runs import MARGIN_SECONDS, OURS, Json, run_answer
from ucoder.gateway.protocols.output_rules import fusion_equal
from ucoder.gateway.protocols.submissions import SOLUTION_HEADER, CallCase, StdioCase, Submission, fenced_program
from ucoder.gateway.request_checks import Incoming
from ucoder.v1 import artifacts_pb2 as pb
from ucoder.v1 import config_pb2, sandbox_pb2

CASES_AT_ONCE = 8
MOST_TIMEOUTS = 3
"""After so many time limits a program's other cases count as time limits and are not run."""
_EXTRACTOR = """
import json, sys
from dataclasses import dataclass
completion = sys.stdin.read()
_blocks = []
@dataclass
class CodeBlock:
    priority: int = 40
    code: str = ''
    language: str = ''
def submit_code_blocks(blocks):
    _blocks.extend(blocks)
exec(open('logic.py').read())
best = max(_blocks, key=lambda block: block.priority, default=CodeBlock())
open('program.txt', 'w').write(best.code)
"""


class CaseJudge:
    """Judges submissions with the programs' calls of one gateway."""

    def __init__(self, calls: ProgramCalls) -> None:
        self._calls = calls

    async def judge_outputs(self, submission: Submission, cases: Sequence[StdioCase], incoming: Incoming) -> Json:
        """Runs the program once for each case and compares what it printed."""
        code, kind = await self._program(submission, incoming)
        language = self._language(submission)
        end = time.monotonic() + submission.total_seconds + MARGIN_SECONDS
        slots, state = asyncio.Semaphore(CASES_AT_ONCE), {"timeouts": 0, "failed": False}
        special = submission.extra.get("special_judge_program")

        async def judge(case: StdioCase) -> Json | None:
            async with slots:
                if state["failed"] and not submission.all_cases:
                    return None
                if state["timeouts"] >= MOST_TIMEOUTS:
                    result = sandbox_pb2.RunResult(process=sandbox_pb2.ProcessResult(ending="timeout_cpu"))
                else:
                    request = sandbox_pb2.RunRequest(
                        program=code,
                        language=language,
                        stdin=case.stdin.encode(),
                        limits=submission.limits(),
                    )
                    result = await self._calls.run(request, incoming, end - time.monotonic())
                answer = run_answer(result)
                passed = answer["status"] == "Success" and fusion_equal(answer["run_result"]["stdout"], case.stdout)
                if not passed and special and answer["status"] == "Success":
                    passed = await self._special(submission, case, answer["run_result"]["stdout"], incoming)
                state["timeouts"] += (
                    answer["status"] == "Failed" and (answer["run_result"] or {}).get("status") != "Finished"
                )
                state["failed"] |= not passed
                info = {
                    "input": {"stdin": submission.shown(case.stdin)},
                    "output": {"stdout": submission.shown(case.stdout)},
                }
                return {"passed": passed, "exec_info": answer, "test_info": case.info or info}

        tests = [one for one in await _all([judge(case) for case in cases]) if one]
        if not submission.all_cases:
            first = next((number for number, one in enumerate(tests) if not one["passed"]), len(tests))
            tests = tests[: first + 1]
        return _evaluation(submission, code, kind, tests)

    async def judge_calls(self, submission: Submission, cases: Sequence[CallCase], incoming: Incoming) -> Json:
        """Calls the function for each case; the sandbox compares the values."""
        code, kind = await self._program(submission, incoming)
        call = "{}"
        if "class Solution" in code and self._language(submission) == "python":
            code, call = SOLUTION_HEADER + code, "Solution().{}"
        tests = [
            f"assert {call.format(case.name)}({', '.join(map(repr, case.arguments))}) == {case.expected!r}"
            for case in cases
        ]
        if self._language(submission) == "javascript":
            calls = [f"{case.name}({', '.join(map(json.dumps, case.arguments))})" for case in cases]
            tests = [
                f"assert.deepEqual({text}, {json.dumps(case.expected)})"
                for text, case in zip(calls, cases, strict=True)
            ]
        row = await self._row(submission, code, tests, "" if "Solution" in call else cases[0].name, incoming)
        results = [
            {
                "passed": outcome == pb.OUTCOME_PASSED,
                "exec_info": _outcome_answer(outcome, text, seconds),
                "test_info": case.info,
            }
            for case, outcome, text, seconds in zip(cases, row.outcomes, row.outputs, row.seconds, strict=True)
        ]
        if not submission.all_cases:
            first = next((number for number, one in enumerate(results) if not one["passed"]), len(results))
            results = results[: first + 1]
        return _evaluation(submission, code, kind, results)

    async def judge_code_test(self, submission: Submission, test: Json, row: Json, incoming: Incoming) -> Json:
        """Judges by statements with asserts that come after the program, or around it at `#<INSERT>`."""
        labels = row.get("labels")
        labels = json.loads(labels) if isinstance(labels, str) else labels or {}
        language = labels.get("programming_language", submission.language)
        if language != "python":
            raise Reject(f"programming_language: {language!r:.40} has no judge here; python has one.")
        code, kind = await self._program(submission, incoming)
        before, mark, after = str(test.get("code", "")).partition("#<INSERT>")
        statements = after if mark else before
        full = (before + code) if mark else code
        if not statements.strip():
            raise Reject("config.provided_data.test.code: there is no test in it.")
        files = _assets(test.get("asset"))
        if files:
            passed, answer = await self._run_with_files(submission, full, statements, files, incoming)
        else:
            result = await self._row(submission, full, [statements], "", incoming)
            passed = result.outcomes[0] == pb.OUTCOME_PASSED
            answer = _outcome_answer(result.outcomes[0], result.note, result.seconds[0])
        evaluation = _evaluation(submission, code, kind, [{"passed": passed, "exec_info": answer, "test_info": None}])
        return {**evaluation, "full_code": f"{full}\n{statements}", "test_code": statements}

    async def judge_asserts(self, submission: Submission, statements: str, incoming: Incoming) -> Json:
        """Judges by a text of asserts, as MultiPL-E writes them."""
        code, kind = await self._program(submission, incoming)
        row = await self._row(submission, code, [statements], "", incoming)
        answer = _outcome_answer(row.outcomes[0], row.note, row.seconds[0])
        passed = row.outcomes[0] == pb.OUTCOME_PASSED
        return _evaluation(submission, code, kind, [{"passed": passed, "exec_info": answer, "test_info": None}])

    async def _row(
        self, submission: Submission, code: str, tests: list[str], entry_point: str, incoming: Incoming
    ) -> pb.Row:
        limits = config_pb2.ExecutionConfig(
            cpu_seconds=min(60.0, submission.run_seconds),
            wall_seconds=min(300.0, submission.run_seconds),
            memory_mb=submission.memory_mb,
            give_up_after_timeouts=MOST_TIMEOUTS,
        )
        request = sandbox_pb2.ExecuteRequest(
            programs=[code],
            tests=[pb.TestCase(code=test) for test in tests],
            entry_point=entry_point,
            language=self._language(submission),
            limits=limits,
        )
        [row] = await self._calls.execute(request, incoming, submission.total_seconds + MARGIN_SECONDS)
        return row

    async def _run_with_files(
        self, submission: Submission, full: str, statements: str, files: dict[str, bytes], incoming: Incoming
    ) -> tuple[bool, Json]:
        """Runs program and test as one file beside the row's files. Only a program that cannot forge may pass."""
        request = sandbox_pb2.RunRequest(program=f"{full}\n{statements}", files=files, limits=submission.limits())
        result = await self._calls.run(request, incoming, submission.run_seconds + MARGIN_SECONDS)
        answer = run_answer(result)
        passed = answer["status"] == "Success"
        safety = check_program(full)
        if passed and not safety.may_share:
            answer["message"] = f"unconfirmed: the program could forge a pass ({safety.reason})"
            passed = False
        return passed, answer

    async def _special(self, submission: Submission, case: StdioCase, printed: str, incoming: Incoming) -> bool:
        """Asks the task's own judge program, which runs alone and ends with 0 for a right answer."""
        language = str(submission.extra.get("special_judge_language") or "python")
        texts = {"stdin.txt": case.stdin, "stdout.txt": case.stdout, "answer.txt": printed}
        request = sandbox_pb2.RunRequest(
            program=str(submission.extra["special_judge_program"]),
            language=OURS.get(language, language),
            files={name: text.encode() for name, text in texts.items()},
            limits=sandbox_pb2.RunLimits(cpu_seconds=10, wall_seconds=10),
        )
        result = await self._calls.run(request, incoming, 10 + MARGIN_SECONDS)
        return result.process.HasField("exit_code") and result.process.exit_code == 0

    async def _program(self, submission: Submission, incoming: Incoming) -> tuple[str, str]:
        """Returns the program of a submission. Extraction code that comes with it runs in the sandbox."""
        text = submission.completion
        if not submission.extract_logic:
            return fenced_program(text, submission.language)
        request = sandbox_pb2.RunRequest(
            program=_EXTRACTOR,
            stdin=text.encode(),
            files={"logic.py": submission.extract_logic.encode()},
            fetch_files=["program.txt"],
        )
        result = await self._calls.run(request, incoming, 10 + MARGIN_SECONDS)
        if "program.txt" not in result.files:
            raise Reject(f"config.custom_extract_logic: {result.process.stderr[-300:].decode('utf-8', 'replace')}")
        return result.files["program.txt"].decode("utf-8", "replace"), "fenced"

    def _language(self, submission: Submission) -> str:
        if submission.language not in OURS:
            raise Reject(f"config.language: {submission.language} cannot run here; there are {', '.join(OURS)}.")
        return OURS[submission.language]


async def _all(tasks: list[Any]) -> list[Any]:
    """Awaits all and returns their results; the first error ends the others."""
    try:
        async with asyncio.TaskGroup() as group:
            started = [group.create_task(task) for task in tasks]
    except BaseExceptionGroup as errors:
        raise errors.exceptions[0] from None
    return [task.result() for task in started]


def _evaluation(submission: Submission, code: str, kind: str, tests: list[Json]) -> Json:
    return {
        "id": submission.id,
        "accepted": bool(tests) and all(test["passed"] for test in tests),
        "extracted_code": code,
        "full_code": None,
        "test_code": None,
        "tests": tests,
        "extracted_type": kind,
        "extra": None,
    }


def _outcome_answer(outcome: int, text: str, seconds: float) -> Json:
    """Returns an outcome of the sandbox in the form of a run's answer."""
    timed_out = outcome in (pb.OUTCOME_TIMEOUT_CPU, pb.OUTCOME_TIMEOUT_WALL)
    passed = outcome == pb.OUTCOME_PASSED
    name = pb.Outcome.Name(outcome).removeprefix("OUTCOME_").lower()  # type: ignore[arg-type]
    return {
        "status": "Success" if passed else "Failed",
        "message": "" if passed else name,
        "compile_result": None,
        "run_result": {
            "status": "TimeLimitExceeded" if timed_out else "Finished",
            "execution_time": seconds,
            "return_code": None if timed_out else int(not passed),
            "stdout": "",
            "stderr": "" if passed else f"{name}: {text}" if text else name,
        },
        "executor_pod_name": None,
        "files": {},
    }


def _assets(value: Any) -> dict[str, bytes]:
    try:
        assets = json.loads(value) if isinstance(value, str) else value or {}
        return {str(name): base64.b64decode(data) for name, data in assets.items()}
    except (ValueError, TypeError, AttributeError, binascii.Error):
        raise Reject("config.provided_data.test.asset: expected an object of file names and base64.") from None
