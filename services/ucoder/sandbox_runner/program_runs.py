"""Runs of programs for their output: compiles where the language needs it, shares equal runs, keeps results."""

import asyncio
import contextlib
import hashlib
import re
from collections import OrderedDict
from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass, field, replace

from ucoder.core.outcomes import Outcome
from ucoder.errors import Misconfigured, Overloaded, Reject, Retry
from ucoder.sandbox_runner.host.pool import Pool
from ucoder.sandbox_runner.host.program import PoolRun
from ucoder.sandbox_runner.host.run_batch import RunBatch
from ucoder.sandbox_runner.languages.commands import Command, commands_of
from ucoder.sandbox_runner.run_job import STDERR, STDOUT, OutputChunk, ProcessEnd, RunJob, RunResult

COMPILER_MEMORY_MB = 1024
_VARYING = re.compile(r"time|date|random|secrets|uuid|urandom|getpid|Date|pid|RANDOM")
"""What a program mentions whose output may differ from run to run. Its results are not kept."""
_ABSOLUTE = ("/tmp/", "/mnt/")
MOST_KEPT_BYTES = 64 << 20


@dataclass(slots=True)
class _SharedRun:
    """A run in progress, and how many callers wait for it."""

    task: asyncio.Task[RunResult]
    callers: int = 0


@dataclass(slots=True)
class _KeptResults:
    """The results used last, by the key of their run."""

    most: int
    results: OrderedDict[bytes, RunResult] = field(default_factory=OrderedDict)
    size: int = 0

    def keep(self, key: bytes, result: RunResult) -> None:
        """Keeps a result, and drops those that were unused for longest where there is no room."""
        self.results[key] = result
        self.size += _size(result)
        while self.results and (len(self.results) > self.most or self.size > MOST_KEPT_BYTES):
            self.size -= _size(self.results.popitem(last=False)[1])

    def find(self, key: bytes) -> RunResult | None:
        """Returns the result kept under a key, if there is one."""
        if key in self.results:
            self.results.move_to_end(key)
        return self.results.get(key)


class ProgramRuns:
    """The runs of one sandbox."""

    def __init__(self, pool: Pool, most_waiting: int, cache: int) -> None:
        self._pool, self._most_waiting, self._waiting = pool, most_waiting, 0
        self._shared: dict[bytes, _SharedRun] = {}
        self._kept = _KeptResults(cache)

    async def run(self, job: RunJob, queue: str = "") -> RunResult:
        """Runs a program and returns its result. Equal runs at one time are one run.

        Raises Reject for a wrong request, Overloaded when too many runs wait, Retry when the platform failed.
        """
        key = _key(job)
        if known := self._kept.find(key):
            return known
        shared = self._shared.get(key)
        if shared is None:
            shared = self._shared[key] = _SharedRun(asyncio.create_task(self._execute(job, None, queue)))
            shared.task.add_done_callback(lambda _: self._shared.pop(key, None))
        shared.callers += 1
        try:
            result = await asyncio.shield(shared.task)
        finally:
            shared.callers -= 1
            if not shared.callers and not shared.task.done():
                self._shared.pop(key, None)
                shared.task.cancel()
        process = result.process
        lasting = (process is None or process.ending == "exited") and not _VARYING.search(job.program)
        if lasting and self._kept.find(key) is None:
            self._kept.keep(key, result)
        return result

    async def stream(self, job: RunJob, queue: str = "") -> AsyncGenerator[OutputChunk | RunResult]:
        """Runs a program and yields its output as it appears, and then its result, which has no output."""
        chunks: asyncio.Queue[OutputChunk | None] = asyncio.Queue()
        task = asyncio.create_task(
            self._execute(job, lambda stream, data: chunks.put_nowait(OutputChunk(stream, data)), queue)
        )
        task.add_done_callback(lambda _: chunks.put_nowait(None))
        most = job.limits.output_kb * 1024
        sent = {STDOUT: 0, STDERR: 0}
        try:
            while chunk := await chunks.get():
                fit = chunk.data[: most - sent[chunk.stream]]
                sent[chunk.stream] += len(fit)
                if fit:
                    yield OutputChunk(chunk.stream, fit)
            result = task.result()
            yield replace(result, process=result.process and replace(result.process, stdout=b"", stderr=b""))
        finally:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError, Reject, Retry):
                await task

    async def _execute(self, job: RunJob, on_output: Callable[[int, bytes], None] | None, queue: str) -> RunResult:
        """Compiles and runs a program."""
        for path in (*job.files, *job.fetch):
            if (
                "\0" in path
                or not path
                or ".." in path.split("/")
                or (path.startswith("/") and not path.startswith(_ABSOLUTE))
            ):
                raise Reject(f"files: {path[:200]!r} is not a path beside the program, or below /tmp or /mnt.")
        commands = commands_of(job.language)
        if self._waiting >= self._most_waiting:
            raise Overloaded(f"The sandbox is full: {self._waiting} programs are waiting. Try again later.")
        self._waiting += 1
        try:
            compiler = None
            if commands.compile:
                limits = replace(
                    job.limits,
                    cpu_seconds=job.compile_seconds,
                    wall_seconds=2 * job.compile_seconds,
                    memory_mb=COMPILER_MEMORY_MB,
                )
                compiling = replace(job, stdin=b"", args=(), fetch=(commands.built,), limits=limits)
                compiler = await self._process(compiling, commands.compile, None, queue)
                if compiler.exit_code or commands.built not in compiler.files:
                    return RunResult(None, compiler)
                job = replace(job, files={**job.files, **compiler.files})
            return RunResult(await self._process(job, commands.run, on_output, queue), compiler)
        finally:
            self._waiting -= 1

    async def _process(
        self, job: RunJob, command: Command, on_output: Callable[[int, bytes], None] | None, queue: str
    ) -> ProcessEnd:
        """Runs one process in a cell."""
        run = PoolRun(job.limits, queue=queue)
        batch = RunBatch.of(job, command, on_output)
        try:
            self._pool.submit_batch(run, batch)
            [program] = await run.next_finished()
        finally:
            run.cancelled.set()
        if program.results[0] and program.results[0].status == Outcome.INFRA_ERROR:
            raise Retry(f"the sandbox lost the program: {program.note}.")
        if batch.end is None:
            raise Misconfigured(f"language: {command.words[0]} is not in the cells of this sandbox.")
        return batch.end


def _key(job: RunJob) -> bytes:
    """Returns a text that equal runs share."""
    return hashlib.sha256(repr(replace(job, files=sorted(job.files.items()))).encode("utf-8", "replace")).digest()  # type: ignore[arg-type]


def _size(result: RunResult) -> int:
    ends = [end for end in (result.process, result.compiler) if end]
    return sum(len(end.stdout) + len(end.stderr) + sum(map(len, end.files.values())) for end in ends)
