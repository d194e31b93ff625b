"""The sandbox: programs and tests in, rows out as they finish. Cells stay warm between jobs.

async with Sandbox.open() as sandbox:
    async for row in sandbox.execute(Job(programs, tests, entry_point)):
        ...
"""

import asyncio
import os
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from ucoder.runtime.errors import Overloaded, Retry
from ucoder.sandbox_runner import kinds, rows, warden
from ucoder.sandbox_runner.batch import Batch, Program, batches
from ucoder.sandbox_runner.cell import Cell, CellLost, Result
from ucoder.sandbox_runner.isolation import Root
from ucoder.sandbox_runner.job import Job, Row
from ucoder.sandbox_runner.languages import language

_RECYCLE_AFTER = 20_000
_LOSSES = 3


@dataclass(eq=False, slots=True)
class _Run:
    """One job under way."""

    job: Job
    tests: list[list[str]]
    finished: asyncio.Queue[Program | Exception] = field(default_factory=asyncio.Queue)
    cancelled: asyncio.Event = field(default_factory=asyncio.Event)


@dataclass(eq=False, slots=True)
class _Work:
    run: _Run
    batch: Batch
    losses: int = 0


class Sandbox:
    """Several warm cells and the queue before them. Made by `open`."""

    def __init__(self, kind: kinds.Kind, root: Root, folder: Path, queue: int, share_forks: bool) -> None:
        self.isolation = kind.name
        self._kind, self._root, self._folder, self._share = kind, root, folder, share_forks
        self._most, self._waiting, self._number = queue, 0, 0
        self._work: asyncio.Queue[_Work] = asyncio.Queue()

    @classmethod
    @asynccontextmanager
    async def open(
        cls,
        *,
        isolation: str = "auto",
        cells: int | None = None,
        rootfs: Path | None = None,
        queue: int = 200_000,
        share_forks: bool = True,
    ) -> AsyncIterator["Sandbox"]:
        """Starts `cells` cells (default: one per core) and ends them, their processes and files at the end.

        `isolation`: auto, runsc, bubblewrap, pod or none. `rootfs`: a folder to use as the cells' root instead of one
        composed from this interpreter. `queue`: programs that may wait before `execute` raises `Overloaded`.
        `share_forks=False` gives every program a fork of its own. Raises `NoIsolation`, or `Retry` when no cell starts.
        """
        kind = await asyncio.to_thread(kinds.choose, isolation)
        root = await asyncio.to_thread(kind.root, rootfs)
        folder = Path(tempfile.mkdtemp(prefix="ucoder-cells-"))
        guard = await warden.post(folder, kind.runsc)
        sandbox = cls(kind, root, folder, queue, share_forks)
        workers: list[asyncio.Task[None]] = []
        try:
            count = cells or len(os.sched_getaffinity(0))
            started = await asyncio.gather(*(sandbox._start() for _ in range(count)), return_exceptions=True)
            workers += [asyncio.create_task(sandbox._serve(cell)) for cell in started if isinstance(cell, Cell)]
            for cell in started:
                if isinstance(cell, CellLost):
                    raise Retry(f"{kind.name}: {cell}")
                if isinstance(cell, BaseException):
                    raise cell
            yield sandbox
        finally:
            for worker in workers:
                worker.cancel()
            await asyncio.gather(*workers, return_exceptions=True)
            await warden.relieve(guard)

    async def execute(self, job: Job) -> AsyncIterator[Row]:
        """Runs every program on every test, identical programs once, and yields one row per index as programs finish.

        Leaving the iteration stops the work. Raises `Overloaded` when the queue is full, `Reject` for an unknown
        language.
        """
        speech = language(job.language)
        plans = [speech.read(test, job.entry_point) for test in job.tests]
        tests = rows.frames(plans)
        indices: dict[str, list[int]] = {}
        for index, source in enumerate(job.programs):
            indices.setdefault(source, []).append(index)
        if self._waiting + len(indices) > self._most:
            raise Overloaded(f"{self._waiting} programs are waiting and {len(indices)} more do not fit: try later")
        judge = rows.Judge(plans)
        programs = [
            Program(key, source, speech.nature(source), [None] * len(tests)) for key, source in enumerate(indices)
        ]
        run = _Run(job, tests)
        self._waiting += len(programs)
        left = len(programs)
        try:
            if tests:
                for batch in batches(programs, self._share):
                    self._work.put_nowait(_Work(run, batch))
            else:
                for untested in programs:
                    run.finished.put_nowait(untested)
            while left:
                program = await run.finished.get()
                if isinstance(program, Exception):
                    raise program
                left -= 1
                self._waiting -= 1
                outcomes, outputs, seconds = judge.outcomes(program)
                same = indices[program.source]
                for index in same:
                    yield Row(
                        index,
                        tuple(outcomes),
                        tuple(outputs),
                        tuple(seconds),
                        program.peak_mb,
                        len(same),
                        note=program.note,
                    )
        finally:
            self._waiting -= left
            run.cancelled.set()

    async def _start(self) -> Cell:
        self._number += 1
        name = f"{self._folder.name}-{self._number}"
        launch = await asyncio.to_thread(self._kind.launch, self._root, name, self._folder)
        return await Cell.start(launch)

    async def _serve(self, cell: Cell | None) -> None:
        """One cell's life: takes work until it is cancelled; a lost, suspect or old cell is replaced."""
        try:
            while True:
                work = await self._work.get()
                if work.run.cancelled.is_set():
                    continue
                try:
                    if cell is None:
                        cell = await self._start()
                    healthy = await self._attempt(cell, work)
                except CellLost as lost:
                    healthy = False
                    self._again(work, str(lost))
                except Exception as error:
                    healthy = False
                    work.run.finished.put_nowait(error)
                if cell is not None and (not healthy or cell.suspect or cell.served > _RECYCLE_AFTER):
                    ending, cell = cell, None
                    await ending.close()
        finally:
            if cell is not None:
                await cell.close()

    async def _attempt(self, cell: Cell, work: _Work) -> bool:
        """Runs one batch; False when the job was cancelled meanwhile, so that the cell must go."""
        run, batch = work.run, work.batch
        self._number += 1
        batch.reports.clear()
        frame = batch.frame(run.tests, run.job.limits, 0, self._number)
        running = asyncio.create_task(cell.run(frame, batch.reports.append))
        stopped = asyncio.create_task(run.cancelled.wait())
        try:
            await asyncio.wait((running, stopped), return_when=asyncio.FIRST_COMPLETED)
            if not running.done():
                return False
            ending = running.result()
        finally:
            for task in (running, stopped):
                task.cancel()
            await asyncio.gather(running, stopped, return_exceptions=True)
        for again in batch.settle(ending, run.job.limits):
            self._work.put_nowait(_Work(run, again))
        for program in batch.programs:
            if program.done:
                run.finished.put_nowait(program)
        return True

    def _again(self, work: _Work, why: str) -> None:
        """A lost cell is our failure: the work is run again, a few times, then named for what it is."""
        if work.losses < _LOSSES:
            self._work.put_nowait(_Work(work.run, work.batch, work.losses + 1))
            return
        for program in work.batch.programs:
            program.results = [result or Result("infra_error", "", 0.0) for result in program.results]
            program.note = why
            work.run.finished.put_nowait(program)
