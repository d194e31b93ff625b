"""The local model as services see it: it cuts requests into chunks of rows for worker processes that have room.

This module imports no torch, because gRPC runs in this process, and a fork or a busy interpreter would stall it.
Workers start at the first request. One that dies fails its unfinished requests with Retry and is replaced for the next
chunk.
"""

import asyncio
import contextlib
import importlib.util
import itertools
import os
import signal
import sys
from collections import deque
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from ucoder import errors
from ucoder.errors import Misconfigured, Retry
from ucoder.models.checkpoint_folder import base_of, require_weights
from ucoder.models.local import pipe_messages
from ucoder.models.protocol import Completion, SamplingParameters, TextScore

CHUNK_ROWS = 32
"""Rows of one request that go to a worker together, so that several workers may share a request of 128."""
MOST_ROWS_PER_WORKER = 192
"""Rows that a worker holds at once: its batch, and half a batch to refill it with."""


@dataclass(eq=False)
class _Job:
    """A message to a worker, and the answer to come."""

    message: dict[str, Any]
    rows: int
    answer: "asyncio.Future[dict[str, Any]]"
    worker: "_Worker | None" = None


@dataclass(eq=False)
class _Worker:
    process: asyncio.subprocess.Process
    jobs: dict[int, _Job] = field(default_factory=dict)
    reader: "asyncio.Task[None] | None" = None

    @property
    def rows(self) -> int:
        """Unfinished rows of this worker."""
        return sum(job.rows for job in self.jobs.values())

    def send(self, message: dict[str, Any]) -> None:
        if self.process.stdin is not None and not self.process.stdin.is_closing():
            self.process.stdin.write(pipe_messages.pack(message))


class LocalModel:
    """Checkpoints in worker processes. `model` is a Hugging Face folder."""

    reads_folders = True
    exclusive = False

    def __init__(self, workers: int) -> None:
        self._count = workers
        self._workers: list[_Worker] = []
        self._waiting: deque[_Job] = deque()
        self._keys = itertools.count()
        self._starting = asyncio.Lock()
        self._served: list[str] = []
        self._closed = False

    async def complete(
        self, model: str, prompt: str, *, n: int, sampling: SamplingParameters, stop: Sequence[str] = (), seed: int = 0
    ) -> list[Completion]:
        """Generates completions as `protocol.Completer` says."""
        message = {
            "do": "complete",
            "model": model,
            "prompt": prompt,
            "sampling": asdict(sampling),
            "stop": list(stop),
            "seed": seed,
        }
        chunks = [(first, min(CHUNK_ROWS, n - first)) for first in range(0, n, CHUNK_ROWS)]
        answers = await self._ask([({**message, "first": first, "rows": rows}, rows) for first, rows in chunks])
        return [Completion(**fields) for answer in answers for fields in answer["completions"]]

    async def score(self, model: str, text: str) -> TextScore:
        """Returns the log-probability of a text as `protocol.Model` says."""
        [answer] = await self._ask([({"do": "score", "model": model, "text": text}, 1)])
        return TextScore(**answer["score"])

    async def serve(self, model: str) -> None:
        """Loads the checkpoint in every worker. Raises NotFound or Misconfigured without a usable model."""
        require_weights(base_of(model))
        await self._start_workers()
        jobs = [self._new_job({"do": "load", "model": model}, 0) for _ in self._workers]
        for job, worker in zip(jobs, self._workers, strict=True):
            self._give(job, worker)
        await self._answers(jobs)
        self._served = [*(name for name in self._served if name != model), model]

    async def served(self) -> list[str]:
        """Returns the checkpoints that `serve` has loaded, the last one last."""
        return list(self._served)

    async def close(self) -> None:
        """Kills the workers; requests under way end with Retry."""
        self._closed = True
        for worker in self._workers:
            if worker.process.returncode is None:
                with contextlib.suppress(ProcessLookupError):
                    worker.process.kill()
        await asyncio.gather(*(worker.reader for worker in self._workers if worker.reader))
        for job in self._waiting:
            _fail(job, Retry("the local model was closed."))

    async def _ask(self, messages: list[tuple[dict[str, Any], int]]) -> list[dict[str, Any]]:
        """Returns the workers' answers to messages of so many rows each."""
        await self._start_workers()
        jobs = [self._new_job(message, rows) for message, rows in messages]
        self._waiting.extend(jobs)
        self._dispatch()
        return await self._answers(jobs)

    async def _answers(self, jobs: list[_Job]) -> list[dict[str, Any]]:
        """Waits for the answers; when one fails or the caller is cancelled, the other jobs are dropped."""
        try:
            return await asyncio.gather(*(job.answer for job in jobs))
        finally:
            for job in jobs:
                if not job.answer.done() or job.answer.cancelled():
                    self._drop(job)
                else:
                    job.answer.exception()  # marks it as retrieved: gather has raised the first exception

    def _new_job(self, message: dict[str, Any], rows: int) -> _Job:
        return _Job({**message, "key": next(self._keys)}, rows, asyncio.get_running_loop().create_future())

    def _drop(self, job: _Job) -> None:
        job.answer.cancel()
        if job.worker is None:
            with contextlib.suppress(ValueError):
                self._waiting.remove(job)
        elif job.worker.jobs.pop(job.message["key"], None):
            job.worker.send({"do": "drop", "key": job.message["key"]})
            self._dispatch()

    def _dispatch(self) -> None:
        """Gives waiting jobs to the workers with the fewest rows, up to what keeps each of them busy."""
        while self._waiting and self._workers:
            worker = min(self._workers, key=lambda worker: worker.rows)
            if worker.jobs and worker.rows + self._waiting[0].rows > MOST_ROWS_PER_WORKER:
                return
            self._give(self._waiting.popleft(), worker)

    def _give(self, job: _Job, worker: _Worker) -> None:
        job.worker = worker
        worker.jobs[job.message["key"]] = job
        worker.send(job.message)

    async def _start_workers(self) -> None:
        """Starts as many workers as are missing."""
        if self._closed:
            raise Retry("the local model was closed.")
        async with self._starting:
            if len(self._workers) < self._count and importlib.util.find_spec("torch") is None:
                raise Misconfigured("the local model needs torch and transformers: pip install 'ucoder[local]'.")
            while len(self._workers) < self._count:
                environment = {
                    "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "false",
                    # glibc would return a cache's memory to the kernel and fetch it again, page by page, at every copy
                    "MALLOC_MMAP_THRESHOLD_": str(1 << 30), "MALLOC_TRIM_THRESHOLD_": str(1 << 32),
                }  # fmt: skip
                process = await asyncio.create_subprocess_exec(
                    sys.executable, "-m", "ucoder.models.local.model_worker", str(os.getpid()),
                    stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
                    env={**os.environ, **environment},
                )  # fmt: skip
                worker = _Worker(process)
                worker.reader = asyncio.create_task(self._read_answers(worker))
                self._workers.append(worker)

    async def _read_answers(self, worker: _Worker) -> None:
        """Hands out a worker's answers until it ends; fails the jobs that it leaves unfinished."""
        assert worker.process.stdout is not None
        while (answer := await pipe_messages.receive(worker.process.stdout)) is not None:
            job = worker.jobs.pop(answer["key"], None)
            if job is not None and "error" in answer:
                _fail(job, getattr(errors, answer["error"])(answer["text"]))
            elif job is not None and not job.answer.done():
                job.answer.set_result(answer)
            self._dispatch()
        code = await worker.process.wait()
        self._workers.remove(worker)
        how = f"by {signal.Signals(-code).name}" if code < 0 else f"with code {code}"
        for job in worker.jobs.values():
            _fail(job, Retry(f"a worker of the local model ended {how}; another one takes over."))
        if self._waiting and not self._closed:
            await self._start_workers()
            self._dispatch()


def _fail(job: _Job, error: Exception) -> None:
    if not job.answer.done():
        job.answer.set_exception(error)
