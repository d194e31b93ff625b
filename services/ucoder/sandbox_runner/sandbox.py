"""The sandbox: programs and tests in, rows out as they finish. Cells stay warm between jobs.

async with Sandbox.open() as sandbox:
    async for row in sandbox.execute(Job(programs, tests, entry_point)):
        ...
"""

import asyncio
import contextlib
import os
import tempfile
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from ucoder.core import tame
from ucoder.core.outcomes import Outcome
from ucoder.core.test_cases import CallPlan, Plan
from ucoder.runtime.errors import Overloaded, Retry
from ucoder.sandbox_runner import kinds, rows, warden
from ucoder.sandbox_runner.batch import Batch, Program, batches
from ucoder.sandbox_runner.cache import RowCache
from ucoder.sandbox_runner.cell import Cell, CellLost, Result
from ucoder.sandbox_runner.isolation import NoIsolation, Root
from ucoder.sandbox_runner.job import Job, Limits, Row
from ucoder.sandbox_runner.languages import Language, language
from ucoder.sandbox_runner.trials import Trials

__all__ = ["NoIsolation", "Sandbox"]

_RECYCLE_AFTER = 20_000
_LOSSES = 3


@dataclass(eq=False, slots=True)
class _Run:
    """One job under way."""

    limits: Limits
    tests: list[list[str]]
    urgent: bool = False
    seed: int = 0
    interpreter: tuple[str, ...] = ()
    finished: asyncio.Queue[Program | Exception] = field(default_factory=asyncio.Queue)
    cancelled: asyncio.Event = field(default_factory=asyncio.Event)


@dataclass(eq=False, slots=True)
class _Work:
    run: _Run
    batch: Batch
    order: int
    losses: int = 0

    def __lt__(self, other: "_Work") -> bool:
        return (not self.run.urgent, self.order) < (not other.run.urgent, other.order)


class Sandbox:
    """Several warm cells and the queue before them. Made by `open`."""

    def __init__(self, kind: kinds.Kind, root: Root, folder: Path, queue: int, share_forks: bool, cache: int) -> None:
        self.isolation = kind.name
        """The kind of boundary around the cells."""
        self.folder = folder
        """Where the cells keep what they need on this machine; gone afterwards."""
        self._kind, self._root, self._share = kind, root, share_forks
        self._cells: set[Cell] = set()
        self._cache = RowCache(cache, f"{kind.name} {root.version}")
        self._most, self._waiting, self._number = queue, 0, 0
        self._stretch = 1.0
        self._queues: tuple[asyncio.PriorityQueue[_Work], ...] = (asyncio.PriorityQueue(), asyncio.PriorityQueue())
        self._workers: list[asyncio.Task[None]] = []
        self._repeaters = 0

    @classmethod
    @asynccontextmanager
    async def open(
        cls,
        *,
        isolation: str = "auto",
        cells: int | None = None,
        rootfs: Path | None = None,
        packages: Path | None = None,
        queue: int = 200_000,
        share_forks: bool = True,
        cache: int = 20_000,
    ) -> AsyncIterator["Sandbox"]:
        """Starts `cells` cells (default: one per core) and ends them, their processes and files at the end.

        `isolation`: auto, runsc, bubblewrap, pod or none. `rootfs`: a folder to use as the cells' root instead of one
        composed from this interpreter. `packages`: a folder of third-party packages that programs may import, made by
        `pip install --target` with this interpreter. `queue`: programs that may wait before `execute` raises
        `Overloaded`.
        `share_forks=False` gives every program a fork of its own. `cache`: rows remembered by content. Raises
        `NoIsolation`, or `Retry` when no cell starts.
        """
        kind = await asyncio.to_thread(kinds.choose, isolation)
        root = await asyncio.to_thread(kind.root, rootfs, packages)
        folder = Path(tempfile.mkdtemp(prefix="ucoder-cells-"))
        guard = await warden.post(folder, kind.runsc)
        sandbox = cls(kind, root, folder, queue, share_forks, cache)
        workers = sandbox._workers
        try:
            count = cells or len(os.sched_getaffinity(0))
            started = await asyncio.gather(*(sandbox._start(0) for _ in range(count)), return_exceptions=True)
            workers += [asyncio.create_task(sandbox._serve(cell, 0)) for cell in started if isinstance(cell, Cell)]
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
        plans = [speech.read(test, job.entry_point, job.mode == "compat") for test in job.tests]
        indices: dict[str, list[int]] = {}
        for index, source in enumerate(job.programs):
            indices.setdefault(source, []).append(index)
        keys = self._cache.keys(job)
        for source in list(indices):
            if known := self._cache.find(keys[source]):
                same = indices.pop(source)
                for index in same:
                    yield replace(known, program=index, duplicates=len(same), cached=True)
        if self._waiting + len(indices) > self._most:
            raise Overloaded(f"{self._waiting} programs are waiting and {len(indices)} more do not fit: try later")
        self._waiting += len(indices)
        left = len(indices)
        try:
            async with contextlib.aclosing(self._programs(job, plans, list(indices), speech)) as finished:
                async for program, outcomes, outputs, seconds in finished:
                    left -= 1
                    self._waiting -= 1
                    same = indices[program.source]
                    row = Row(same[0], outcomes, outputs, seconds, program.peak_mb, len(same), note=program.note)
                    self._cache.keep(keys[program.source], row)
                    for index in same:
                        yield replace(row, program=index)
        finally:
            self._waiting -= left

    async def _programs(
        self, job: Job, plans: list[Plan], sources: list[str], speech: Language
    ) -> AsyncGenerator[tuple[Program, tuple[Outcome, ...], tuple[str | None, ...], tuple[float, ...]]]:
        """Distinct programs as they finish, judged."""
        trials = Trials(plans, job.entry_point, lambda programs, tests: self._play(programs, tests, job.limits))
        await trials.scout()
        frames = {number: trials.frame(number) or rows.frame(plan) for number, plan in enumerate(plans)}
        tests = [frame for frame in frames.values() if frame]
        positions = {number: at for at, number in enumerate(number for number, frame in frames.items() if frame)}
        judge = rows.Judge(plans, positions)
        harmless = all(tame.harmless(plan.call) for plan in plans if isinstance(plan, CallPlan))
        programs = [
            Program(key, source, speech.nature(source) if harmless else tame.ALONE, [None] * len(tests))
            for key, source in enumerate(sources)
        ]
        run = _Run(job.limits, tests, interpreter=speech.interpreter)

        async def settle(some: list[Program]) -> list[Program]:
            if job.check_determinism and tests:
                await self._repeat(some, tests, job.limits, speech.interpreter)
            return await trials.settle(some, positions)

        settling: set[asyncio.Task[list[Program]]] = set()
        arriving: asyncio.Task[list[Program]] | None = None
        try:
            if tests:
                self._put(run, batches(programs, self._share and job.mode == "outside"))
            else:
                for untested in programs:
                    run.finished.put_nowait(untested)
            left = len(programs)
            arriving = asyncio.create_task(_available(run.finished)) if left else None
            while arriving or settling:
                waiting = settling | {arriving} if arriving else settling
                done, _ = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
                if arriving in done:
                    left -= len(some := arriving.result())
                    settling.add(asyncio.create_task(settle(some)))
                    arriving = asyncio.create_task(_available(run.finished)) if left else None
                for task in done & settling:
                    settling.discard(task)
                    for program in task.result():
                        yield program, *judge.row(program)
        finally:
            run.cancelled.set()
            for task in settling | {arriving} if arriving else settling:
                task.cancel()

    async def _play(
        self,
        programs: list[Program],
        tests: list[list[str]],
        limits: Limits,
        seed: int = 0,
        interpreter: tuple[str, ...] = (),
    ) -> None:
        """Runs programs on tests at once, before everything that waits; their results are in them afterwards."""
        run = _Run(limits, tests, urgent=True, seed=seed, interpreter=interpreter)
        try:
            self._put(run, batches(programs, self._share))
            left = len(programs)
            while left:
                left -= len(await _available(run.finished))
        finally:
            run.cancelled.set()

    async def _repeat(
        self, programs: list[Program], tests: list[list[str]], limits: Limits, interpreter: tuple[str, ...]
    ) -> None:
        """Runs programs again in cells with other hashes, random numbers and time, and marks what changes."""
        if not self._repeaters:
            self._repeaters = len(self._workers)
            self._workers += [asyncio.create_task(self._serve(None, 1)) for _ in range(self._repeaters)]
        again = [Program(one.key, one.source, one.nature, [None] * len(tests)) for one in programs]
        await self._play(again, tests, limits, 1, interpreter)
        for one, other in zip(programs, again, strict=True):
            one.doubt(other)

    def _put(self, run: _Run, some: list[Batch]) -> None:
        for batch in some:
            self._number += 1
            self._queues[run.seed].put_nowait(_Work(run, batch, self._number))

    async def _start(self, seed: int) -> Cell:
        self._number += 1
        name = f"{self.folder.name}-{self._number}"
        launch = await asyncio.to_thread(self._kind.launch, self._root, name, self.folder, seed)
        cell = await Cell.start(launch)
        self._cells.add(cell)
        return cell

    def memory_mb(self) -> float:
        """Mean memory of a cell on this machine, in MB."""
        return sum(cell.memory_mb for cell in self._cells) / max(1, len(self._cells))

    async def _close(self, cell: Cell) -> None:
        self._cells.discard(cell)
        await cell.close()

    async def _serve(self, cell: Cell | None, seed: int) -> None:
        """One cell's life: takes work until it is cancelled; a lost, suspect or old cell is replaced."""
        try:
            while True:
                work = await self._queues[seed].get()
                if work.run.cancelled.is_set():
                    continue
                try:
                    if cell is None:
                        cell = await self._start(seed)
                    healthy = await self._attempt(cell, work)
                except CellLost as lost:
                    healthy = False
                    self._again(work, str(lost))
                except Exception as error:
                    healthy = False
                    work.run.finished.put_nowait(error)
                if cell is not None and (not healthy or cell.suspect or cell.served > _RECYCLE_AFTER):
                    ending, cell = cell, None
                    await self._close(ending)
        finally:
            if cell is not None:
                await self._close(cell)

    async def _attempt(self, cell: Cell, work: _Work) -> bool:
        """Runs one batch; False when the job was cancelled meanwhile, so that the cell must go."""
        run, batch = work.run, work.batch
        self._number += 1
        batch.reports.clear()
        batch.stretch = max(batch.stretch, self._stretch)
        frame = batch.frame(run.tests, run.limits, run.seed, self._number, run.interpreter)
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
        self._stretch += 0.3 * (ending.stretch - self._stretch)
        self._put(run, batch.settle(ending, run.limits))
        for program in batch.programs:
            if program.done:
                run.finished.put_nowait(program)
        return True

    def _again(self, work: _Work, why: str) -> None:
        """A lost cell is our failure: the work is run again, a few times, then named for what it is."""
        if work.losses < _LOSSES:
            self._queues[work.run.seed].put_nowait(_Work(work.run, work.batch, work.order, work.losses + 1))
            return
        for program in work.batch.programs:
            program.results = [result or Result("infra_error", "", 0.0) for result in program.results]
            program.note = why
            work.run.finished.put_nowait(program)


async def _available(finished: asyncio.Queue[Program | Exception]) -> list[Program]:
    """Waits for one program, and takes what else is there; raises what went wrong."""
    some = [await finished.get()]
    while not finished.empty():
        some.append(finished.get_nowait())
    programs = []
    for one in some:
        if isinstance(one, Exception):
            raise one
        programs.append(one)
    return programs
