"""The pool: warm cells, and the queue of batches before them. What a job is, and what comes of it, is unknown here."""

import asyncio
import os
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from ucoder.errors import Retry
from ucoder.sandbox_runner.host import orphan_cleanup
from ucoder.sandbox_runner.host.batch import Batch, Program, batches
from ucoder.sandbox_runner.host.cell import Cell, CellLost, CellResult
from ucoder.sandbox_runner.isolation.boundary import Root
from ucoder.sandbox_runner.isolation.choice import Boundary
from ucoder.sandbox_runner.sandbox_job import Limits

_RECYCLE_AFTER = 20_000
_LOSSES = 3


@dataclass(eq=False, slots=True)
class PoolRun:
    """Programs on tests, under way: who put them in waits for `some`, and sets `cancelled` when done with it."""

    limits: Limits
    tests: list[list[str]]
    urgent: bool = False
    """Before everything that is not."""
    seed: int = 0
    """1: in cells with other hashes, random numbers and time."""
    interpreter: tuple[str, ...] = ()
    line: str = ""
    """Who waits in one line; lines take turns, however long one of them is."""
    finished: asyncio.Queue[Program | Exception] = field(default_factory=asyncio.Queue)
    cancelled: asyncio.Event = field(default_factory=asyncio.Event)

    async def some(self) -> list[Program]:
        """Waits for one program, and takes what else is there; raises what went wrong."""
        found = [await self.finished.get()]
        while not self.finished.empty():
            found.append(self.finished.get_nowait())
        programs = []
        for one in found:
            if isinstance(one, Exception):
                raise one
            programs.append(one)
        return programs


@dataclass(eq=False, slots=True)
class _Work:
    run: PoolRun
    batch: Batch
    turn: int
    order: int
    losses: int = 0

    def __lt__(self, other: "_Work") -> bool:
        return (not self.run.urgent, self.turn, self.order) < (not other.run.urgent, other.turn, other.order)


class Pool:
    """Several warm cells that take batches as they come. Made by `open`."""

    def __init__(self, kind: Boundary, root: Root, folder: Path) -> None:
        self.folder = folder
        """Where the cells keep what they need on this machine; gone afterwards."""
        self._kind, self._root = kind, root
        self._cells: set[Cell] = set()
        self._workers: list[asyncio.Task[None]] = []
        self._queues: tuple[asyncio.PriorityQueue[_Work], ...] = (asyncio.PriorityQueue(), asyncio.PriorityQueue())
        self._idle, self._number, self._repeaters, self._stretch = 0, 0, 0, 1.0
        self._turn = 0
        """Of the work taken last; a line that was empty begins with the next."""
        self._turns: dict[str, int] = {}
        """Of the work that came last into a line."""

    @classmethod
    @asynccontextmanager
    async def open(cls, kind: Boundary, root: Root, count: int | None) -> AsyncIterator["Pool"]:
        """Starts `count` cells (default: one per core) and ends them, their processes and files at the end.

        Raises `Retry` when one does not start.
        """
        folder = Path(tempfile.mkdtemp(prefix="ucoder-cells-"))
        guard = await orphan_cleanup.post(folder, kind.runsc)
        pool = cls(kind, root, folder)
        workers = pool._workers
        try:
            count = count or len(os.sched_getaffinity(0))
            started = await asyncio.gather(*(pool._start(0) for _ in range(count)), return_exceptions=True)
            workers += [asyncio.create_task(pool._serve(cell, 0)) for cell in started if isinstance(cell, Cell)]
            for cell in started:
                if isinstance(cell, CellLost):
                    raise Retry(f"{kind.name}: {cell}")
                if isinstance(cell, BaseException):
                    raise cell
            yield pool
        finally:
            for worker in workers:
                worker.cancel()
            await asyncio.gather(*workers, return_exceptions=True)
            await orphan_cleanup.relieve(guard)

    def put(self, run: PoolRun, programs: list[Program], share: bool) -> None:
        """Lines up programs. Those that may share forks (if `share`) are dealt out to the cells that have nothing to
        do, for every fork costs; where all are busy they stay together."""
        if run.seed and not self._repeaters:
            self._repeaters = len(self._workers)
            self._workers += [asyncio.create_task(self._serve(None, 1)) for _ in range(self._repeaters)]
        self._line_up(run, batches(programs, share, max(1, self._idle)))

    def memory_mb(self) -> float:
        """Mean memory of a cell on this machine, in MB."""
        return sum(cell.memory_mb for cell in self._cells) / max(1, len(self._cells))

    def processor_seconds(self) -> float:
        """Processor time of all cells so far."""
        return sum(cell.processor_seconds for cell in self._cells)

    def _line_up(self, run: PoolRun, some: list[Batch]) -> None:
        for batch in some:
            self._number += 1
            self._queues[run.seed].put_nowait(_Work(run, batch, self._turn_of(run), self._number))

    def _turn_of(self, run: PoolRun) -> int:
        """The next turn of its line, as start-time fair queueing gives it; what is urgent waits for none."""
        if run.urgent:
            return 0
        turn = self._turns[run.line] = max(self._turn, self._turns.get(run.line, 0)) + 1
        return turn

    async def _start(self, seed: int) -> Cell:
        self._number += 1
        name = f"{self.folder.name}-{self._number}"
        launch = await asyncio.to_thread(self._kind.launch, self._root, name, self.folder, seed)
        cell = await Cell.start(launch)
        self._cells.add(cell)
        return cell

    async def _close(self, cell: Cell) -> None:
        self._cells.discard(cell)
        await cell.close()

    async def _next(self, seed: int) -> _Work:
        self._idle += 1
        try:
            work = await self._queues[seed].get()
        finally:
            self._idle -= 1
        self._turn = max(self._turn, work.turn)
        return work

    async def _serve(self, cell: Cell | None, seed: int) -> None:
        """One cell's life: takes work until it is cancelled; a lost, suspect or old cell is replaced."""
        try:
            while True:
                work = await self._next(seed)
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
        self._line_up(run, batch.settle(ending, run.limits))
        for program in batch.programs:
            if program.done:
                run.finished.put_nowait(program)
        return True

    def _again(self, work: _Work, why: str) -> None:
        """A lost cell is our failure: the work is run again, a few times, then named for what it is."""
        if work.losses < _LOSSES:
            self._queues[work.run.seed].put_nowait(replace(work, losses=work.losses + 1))
            return
        for program in work.batch.programs:
            program.results = [result or CellResult("infra_error", "", 0.0) for result in program.results]
            program.note = why
            work.run.finished.put_nowait(program)
