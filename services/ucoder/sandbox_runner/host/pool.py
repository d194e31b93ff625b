"""The pool: warm cells, and the queues of batches that wait for them. It knows neither jobs nor outcomes."""

import asyncio
import os
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from ucoder.core.outcomes import Outcome
from ucoder.errors import Retry
from ucoder.sandbox_runner.host import orphan_cleanup
from ucoder.sandbox_runner.host.batch import MOST_SHARED, Batch, batches
from ucoder.sandbox_runner.host.cell import Cell, CellLost, CellResult
from ucoder.sandbox_runner.host.program import PoolRun, Program
from ucoder.sandbox_runner.isolation.boundary import Root
from ucoder.sandbox_runner.isolation.choice import Boundary

_MOST_PROGRAMS = 20_000
"""A cell that has run so many programs is replaced."""
_MOST_LOSSES = 3
"""How often work is run again after its cell was lost."""
_FACTOR_WEIGHT = 0.3
"""How much the last fork counts in the moving average of the clock factor."""


@dataclass(eq=False, slots=True)
class _QueuedBatch:
    """A batch in a queue, ordered by urgency, then by the turn of its queue, then by arrival."""

    batch: Batch
    turn: int
    order: int
    losses: int = 0

    @property
    def run(self) -> PoolRun:
        """The run of its first program."""
        return self.batch.programs[0].run

    def drop_cancelled(self) -> bool:
        """Drops the programs that nobody wants any more; returns whether some are left."""
        left = [one for one in self.batch.programs if not one.run.cancelled.is_set()]
        if left:
            self.batch.programs = left
        return bool(left)

    def may_take(self, other: "_QueuedBatch") -> bool:
        """Returns whether the programs of another batch may join these in their fork."""
        return (
            self.batch.mergeable
            and other.batch.mergeable
            and self.run.may_share_with(other.run)
            and len(self.batch.programs) + len(other.batch.programs) <= MOST_SHARED
        )

    def __lt__(self, other: "_QueuedBatch") -> bool:
        return (not self.run.urgent, self.turn, self.order) < (not other.run.urgent, other.turn, other.order)


class Pool:
    """Several warm cells that take batches from the queues. Made by `open`."""

    def __init__(self, kind: Boundary, root: Root, folder: Path) -> None:
        self.folder = folder
        """Holds the cells' temporary files; removed when the pool closes."""
        self._kind, self._root = kind, root
        self._cells: set[Cell] = set()
        self._workers: list[asyncio.Task[None]] = []
        self._repeaters: list[asyncio.Task[None]] = []
        """Workers whose cells have the other seed; started when they are first needed."""
        self._queued = asyncio.PriorityQueue[_QueuedBatch](), asyncio.PriorityQueue[_QueuedBatch]()
        """By seed."""
        self._idle, self._number, self._time_factor = 0, 0, 1.0
        self._turn = 0
        """The turn of the batch taken last; a queue that was empty begins with the next."""
        self._last_turns: dict[str, int] = {}
        """By queue, the turn of the batch that came in last."""

    @classmethod
    @asynccontextmanager
    async def open(cls, kind: Boundary, root: Root, count: int | None) -> AsyncIterator["Pool"]:
        """Starts `count` cells (default: one per core); ends them, their processes and files when the block is left.

        Raises `Retry` when one does not start.
        """
        folder = Path(tempfile.mkdtemp(prefix="ucoder-cells-"))
        cleanup = await orphan_cleanup.start(folder, kind.runsc)
        pool = cls(kind, root, folder)
        try:
            count = count or len(os.sched_getaffinity(0))
            started = await asyncio.gather(*(pool._start(0) for _ in range(count)), return_exceptions=True)
            pool._workers += [asyncio.create_task(pool._serve(cell, 0)) for cell in started if isinstance(cell, Cell)]
            for cell in started:
                if isinstance(cell, CellLost):
                    raise Retry(f"{kind.name}: {cell}")
                if isinstance(cell, BaseException):
                    raise cell
            yield pool
        finally:
            workers = [*pool._workers, *pool._repeaters]
            for worker in workers:
                worker.cancel()
            await asyncio.gather(*workers, return_exceptions=True)
            await orphan_cleanup.finish(cleanup)

    def submit(self, run: PoolRun, programs: list[Program], share: bool) -> None:
        """Puts programs into the queue of their run. Those that may share forks (if `share`) are divided among the idle
        cells, because every fork costs; where no cell is idle they stay together.
        """
        for program in programs:
            program.run = run
        if run.seed and not self._repeaters:
            self._repeaters = [asyncio.create_task(self._serve(None, 1)) for _ in self._workers]
        self._enqueue(batches(programs, share, max(1, self._idle)))

    def submit_batch(self, run: PoolRun, batch: Batch) -> None:
        """Puts one batch into the queue of its run."""
        for program in batch.programs:
            program.run = run
        self._enqueue([batch])

    def memory_mb(self) -> float:
        """Returns the mean memory of a cell on this machine, in MB."""
        return sum(cell.memory_mb for cell in self._cells) / max(1, len(self._cells))

    def processor_seconds(self) -> float:
        """Returns the processor time of all cells so far."""
        return sum(cell.processor_seconds for cell in self._cells)

    def _enqueue(self, some: list[Batch]) -> None:
        for batch in some:
            self._number += 1
            run = batch.programs[0].run
            self._queued[run.seed].put_nowait(_QueuedBatch(batch, self._next_turn(run), self._number))

    def _next_turn(self, run: PoolRun) -> int:
        """Returns the next turn of a run's queue by start-time fair queueing; urgent runs wait for no turn."""
        if run.urgent:
            return 0
        turn = self._last_turns[run.queue] = max(self._turn, self._last_turns.get(run.queue, 0)) + 1
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

    async def _take(self, seed: int) -> _QueuedBatch:
        self._idle += 1
        try:
            queued = await self._queued[seed].get()
        finally:
            self._idle -= 1
        self._turn = max(self._turn, queued.turn)
        waiting = self._queued[seed]
        while queued.drop_cancelled() and not waiting.empty():  # small jobs of other callers share the fork
            following = waiting.get_nowait()
            if not following.drop_cancelled():
                continue
            if not queued.may_take(following):
                waiting.put_nowait(following)
                break
            queued.batch.programs = [*queued.batch.programs, *following.batch.programs]
        return queued

    async def _serve(self, cell: Cell | None, seed: int) -> None:
        """Runs batches on one cell until it is cancelled; replaces the cell when it is lost, suspect or old."""
        try:
            while True:
                queued = await self._take(seed)
                if not queued.drop_cancelled():
                    continue
                try:
                    if cell is None:
                        cell = await self._start(seed)
                    healthy = await self._run_batch(cell, queued)
                except CellLost as lost:
                    healthy = False
                    self._run_again(queued, str(lost))
                except Exception as error:
                    healthy = False
                    for run in {one.run for one in queued.batch.programs}:
                        run.finished.put_nowait(error)
                if cell is not None and (not healthy or cell.suspect or cell.served > _MOST_PROGRAMS):
                    replaced, cell = cell, None
                    await self._close(replaced)
        finally:
            if cell is not None:
                await self._close(cell)

    async def _run_batch(self, cell: Cell, queued: _QueuedBatch) -> bool:
        """Runs one batch; returns False when all its runs were cancelled, so that the cell must be replaced."""
        batch = queued.batch
        self._number += 1
        batch.reports.clear()
        batch.time_factor = max(batch.time_factor, self._time_factor)
        running = asyncio.create_task(cell.run(batch.job(self._number), batch.reports.append, batch.receive))
        cancelled = asyncio.create_task(_all_cancelled({one.run for one in batch.programs}))
        try:
            await asyncio.wait((running, cancelled), return_when=asyncio.FIRST_COMPLETED)
            if not running.done():
                return False
            end = running.result()
        finally:
            for task in (running, cancelled):
                task.cancel()
            await asyncio.gather(running, cancelled, return_exceptions=True)
        self._time_factor += _FACTOR_WEIGHT * (end.clock_factor - self._time_factor)
        self._enqueue(batch.finish(end))
        for program in batch.programs:
            if program.done:
                program.run.finished.put_nowait(program)
        return True

    def _run_again(self, queued: _QueuedBatch, why: str) -> None:
        """Puts a batch whose cell was lost back into its queue; after a few losses its tests are infra errors."""
        if queued.losses < _MOST_LOSSES:
            self._queued[queued.run.seed].put_nowait(replace(queued, losses=queued.losses + 1))
            return
        for program in queued.batch.programs:
            program.results = [result or CellResult(Outcome.INFRA_ERROR, "", 0.0) for result in program.results]
            program.note = why
            program.run.finished.put_nowait(program)


async def _all_cancelled(runs: set[PoolRun]) -> None:
    for run in runs:
        await run.cancelled.wait()
