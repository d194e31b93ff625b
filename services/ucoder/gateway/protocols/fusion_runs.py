"""SandboxFusion's request and answer of one run, read and written field by field."""

import base64
import binascii
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ucoder.errors import Reject
from ucoder.v1 import sandbox_pb2

LANGUAGES = (
    *("python", "cpp", "nodejs", "go", "go_test", "java", "php", "csharp", "bash", "typescript", "sql", "rust"),
    *("cuda", "lua", "R", "perl", "D_ut", "ruby", "scala", "julia", "pytest", "junit", "kotlin_script", "jest"),
    *("verilog", "python_gpu", "lean", "swift", "racket"),
)
OURS = {"python": "python", "nodejs": "javascript", "bash": "bash", "cpp": "cpp"}
"""Our name of each language that can run here."""
SECONDS = 10.0
MOST_SECONDS = 3600.0
MARGIN_SECONDS = 7.0
"""Beyond the program's own limits, so much time is there for queueing before the answer is 504. Clients wait 10 s."""
UNLIMITED_MB = 2048
"""The memory limit of a request that asks for none."""
Json = dict[str, Any]


class InvalidBody(Reject):
    """The body breaks the schema; `details` says where, in the form of that protocol's framework."""

    def __init__(self, details: list[Json]) -> None:
        super().__init__("; ".join(f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in details))
        self.details = details


@dataclass
class FieldReader:
    """Reads the fields of a JSON object and collects what is wrong with them. Unknown keys are ignored."""

    values: Mapping[str, Any]
    place: tuple[str, ...] = ("body",)
    wrong: list[Json] = field(default_factory=list)

    def get(self, name: str, kind: type | tuple[type, ...], default: Any = None, *, required: bool = False) -> Any:
        """Returns a field; its default where it is null or absent, or wrong."""
        value = self.values.get(name)
        if value is None:
            if required:
                self.complain(name, "missing", "Field required")
            return default
        if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
            names = {str: "string", dict: "dictionary", list: "list", int: "integer", bool: "boolean"}
            self.complain(name, "type_error", f"Input should be a valid {names.get(kind, 'number')}")  # type: ignore[arg-type]
            return default
        return value

    def complain(self, name: str, kind: str, message: str) -> None:
        """Notes what is wrong with a field."""
        self.wrong.append({"type": kind, "loc": [*self.place, name], "msg": message})

    def check(self) -> None:
        """Raises InvalidBody when anything was wrong."""
        if self.wrong:
            raise InvalidBody(self.wrong)


def read_body(value: Any) -> FieldReader:
    """Returns a reader of the body. Raises InvalidBody where it is no object."""
    if not isinstance(value, dict):
        raise InvalidBody(
            [{"type": "model_attributes_type", "loc": ["body"], "msg": "Input should be a valid dictionary"}]
        )
    return FieldReader(value)


@dataclass(frozen=True, slots=True)
class FusionRun:
    """One request of /run_code."""

    language: str
    request: sandbox_pb2.RunRequest
    seconds: float
    """The time in which its caller expects an answer."""


def read_run(value: Any) -> FusionRun:
    """Reads a request of /run_code. Raises InvalidBody."""
    body = read_body(value)
    code = body.get("code", str, "", required=True)
    language = body.get("language", str, "python")
    if language not in LANGUAGES:
        body.complain("language", "enum", f"Input should be one of {', '.join(LANGUAGES)}")
    stdin = body.get("stdin", str, "")
    compile_timeout = _seconds(body, "compile_timeout")
    run_timeout = _seconds(body, "run_timeout")
    memory = body.get("memory_limit_MB", int, -1)
    files = {}
    for name, data in body.get("files", dict, {}).items():
        if data is None or "IGNORE_THIS_FILE" in name:
            continue
        try:
            files[name] = base64.b64decode(data)
        except (binascii.Error, ValueError, TypeError):
            body.complain("files", "base64", f"{name[:80]}: not base64")
    fetch = [str(path) for path in body.get("fetch_files", list, [])]
    body.check()
    compiled = compile_timeout if language not in ("python", "nodejs", "bash") else 0.0
    request = sandbox_pb2.RunRequest(
        program=code,
        language=OURS.get(language, ""),
        stdin=stdin.encode(),
        files=files,
        fetch_files=[path for path in fetch if path],
        limits=sandbox_pb2.RunLimits(
            cpu_seconds=run_timeout,
            wall_seconds=run_timeout,
            memory_mb=min(memory, 65536) if memory > 0 else UNLIMITED_MB,
            compile_seconds=compile_timeout,
        ),
    )
    return FusionRun(language, request, compiled + run_timeout + MARGIN_SECONDS)


def run_answer(result: sandbox_pb2.RunResult) -> Json:
    """Returns the answer of /run_code for a finished run."""
    process = result.process if result.HasField("process") else None
    succeeded = process is not None and process.HasField("exit_code") and process.exit_code == 0
    return {
        "status": "Success" if succeeded else "Failed",
        "message": "",
        "compile_result": command_answer(result.compiler) if result.HasField("compiler") else None,
        "run_result": command_answer(process) if process else None,
        "executor_pod_name": os.environ.get("MY_POD_NAME"),
        "files": {name: base64.b64encode(data).decode() for name, data in result.files.items()},
    }


def command_answer(process: sandbox_pb2.ProcessResult) -> Json:
    """Returns the answer for one process. Two keys are not the original's: `truncated` and `memory_mb`."""
    return {
        "status": "Finished" if process.ending == "exited" else "TimeLimitExceeded",
        "execution_time": process.seconds,
        "return_code": process.exit_code if process.HasField("exit_code") else None,
        "stdout": process.stdout.decode("utf-8", "replace"),
        "stderr": process.stderr.decode("utf-8", "replace"),
        "truncated": process.stdout_cut or process.stderr_cut,
        "memory_mb": round(process.peak_memory_mb, 1),
    }


def fault_answer(message: str) -> Json:
    """Returns the answer of /run_code for a failure of the platform."""
    return {
        "status": "SandboxError",
        "message": message,
        "compile_result": None,
        "run_result": None,
        "executor_pod_name": os.environ.get("MY_POD_NAME"),
        "files": {},
    }


def _seconds(body: FieldReader, name: str) -> float:
    value = body.get(name, (int, float), SECONDS)
    if not 0 < value <= MOST_SECONDS:
        body.complain(name, "range", f"Input should be greater than 0 and at most {MOST_SECONDS:.0f}")
        return SECONDS
    return float(value)
