"""The conversion between the messages of SandboxService.Run and the sandbox's own types."""

from dataclasses import replace

from ucoder.sandbox_runner.run_job import STDOUT, OutputChunk, ProcessEnd, RunJob, RunResult
from ucoder.v1 import sandbox_pb2


def run_job(request: sandbox_pb2.RunRequest) -> RunJob:
    """Returns the run that a request asks for."""
    job = RunJob(
        program=request.program,
        language=request.language or "python",
        stdin=request.stdin,
        args=tuple(request.args),
        files=dict(request.files),
        fetch=tuple(request.fetch_files),
    )
    names = ("cpu_seconds", "wall_seconds", "memory_mb", "output_kb", "processes")
    given = {name: value for name in names if (value := getattr(request.limits, name))}
    if "cpu_seconds" in given and "wall_seconds" not in given:
        given["wall_seconds"] = max(job.limits.wall_seconds, 1.5 * given["cpu_seconds"])
    return replace(
        job,
        limits=replace(job.limits, **given),
        compile_seconds=request.limits.compile_seconds or job.compile_seconds,
    )


def run_response(event: OutputChunk | RunResult) -> sandbox_pb2.RunResponse:
    """Returns the message of an event of a run."""
    if isinstance(event, OutputChunk):
        name = "stdout" if event.stream == STDOUT else "stderr"
        return sandbox_pb2.RunResponse(output=sandbox_pb2.OutputPart(**{name: event.data}))
    process = event.process
    return sandbox_pb2.RunResponse(
        result=sandbox_pb2.RunResult(
            process=_process_message(process) if process else None,
            compiler=_process_message(event.compiler) if event.compiler else None,
            files=process.files if process else {},
            files_cut=process.files_cut if process else (),
        )
    )


def _process_message(end: ProcessEnd) -> sandbox_pb2.ProcessResult:
    names = [field.name for field in sandbox_pb2.ProcessResult.DESCRIPTOR.fields]
    return sandbox_pb2.ProcessResult(**{name: getattr(end, name) for name in names})
