"""The sandbox: programs and tests in, rows out as they finish. Cells stay warm between jobs.

async with Sandbox.open() as sandbox:
    async for row in sandbox.execute(Job(programs, tests, entry_point)):
        ...
"""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

from ucoder.core import fork_safety
from ucoder.core.outcomes import Outcome
from ucoder.core.test_plans import CallPlan, Plan
from ucoder.errors import Overloaded
from ucoder.sandbox_runner.host.batch import Program
from ucoder.sandbox_runner.host.pool import Pool, PoolRun
from ucoder.sandbox_runner.host.result_cache import RowCache
from ucoder.sandbox_runner.isolation import choice, gvisor_platforms
from ucoder.sandbox_runner.isolation.boundary import NoIsolation, Root
from ucoder.sandbox_runner.judging import comparison
from ucoder.sandbox_runner.judging.block_tests import BlockTests
from ucoder.sandbox_runner.languages import Language, language
from ucoder.sandbox_runner.sandbox_job import Limits, ProgramResult, SandboxJob

__all__ = ["NoIsolation", "Sandbox"]


class Sandbox:
    """Jobs on a pool of warm cells. Made by `open`."""

    def __init__(self, kind: str, root: Root, pool: Pool, queue: int, share_forks: bool, cache: int) -> None:
        self.isolation = kind
        """The kind of boundary around the cells."""
        self.pool = pool
        self._root, self._share = root, share_forks
        self._cache = RowCache(cache, f"{kind} {root.version}")
        self._most, self._waiting = queue, 0

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
        kind = await asyncio.to_thread(choice.choose, isolation)
        root = await asyncio.to_thread(kind.root, rootfs, packages)
        kind = await gvisor_platforms.settle(kind, root)
        async with Pool.open(kind, root, cells) as pool:
            yield cls(kind.name, root, pool, queue, share_forks, cache)

    async def execute(self, job: SandboxJob, line: str = "") -> AsyncIterator[ProgramResult]:
        """Runs every program on every test, identical programs once, and yields one row per index as programs finish.
        The jobs of a line wait for each other; lines take turns.

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
            async with contextlib.aclosing(self._programs(job, line, plans, list(indices), speech)) as finished:
                async for program, outcomes, outputs, seconds in finished:
                    left -= 1
                    self._waiting -= 1
                    same = indices[program.source]
                    row = ProgramResult(
                        same[0], outcomes, outputs, seconds, program.peak_mb, len(same), note=program.note
                    )
                    self._cache.keep(keys[program.source], row)
                    for index in same:
                        yield replace(row, program=index)
        finally:
            self._waiting -= left

    async def _programs(
        self, job: SandboxJob, line: str, plans: list[Plan], sources: list[str], speech: Language
    ) -> AsyncGenerator[tuple[Program, tuple[Outcome, ...], tuple[str | None, ...], tuple[float, ...]]]:
        """Distinct programs as they finish, judged."""
        trials = BlockTests(plans, job.entry_point, lambda programs, tests: self._play(programs, tests, job.limits))
        await trials.scout()
        frames = {number: trials.frame(number) or comparison.frame(plan) for number, plan in enumerate(plans)}
        calls = {n: fork_safety.harmless(plan.call) for n, plan in enumerate(plans) if isinstance(plan, CallPlan)}
        # A call that could change the program's process comes last, so that it changes no other test's result.
        order = sorted((n for n, frame in frames.items() if frame), key=lambda n: not calls.get(n, True))
        tests = [frame for n in order if (frame := frames[n])]
        positions = {n: at for at, n in enumerate(order)}
        judge = comparison.Comparison(plans, positions)
        shared, absent = all(calls.values()), self._root.absent
        programs = [
            Program(key, source, speech.nature(source, absent) if shared else fork_safety.ALONE, [None] * len(tests))
            for key, source in enumerate(sources)
        ]
        run = PoolRun(job.limits, tests, interpreter=speech.interpreter, line=line)

        async def settle(some: list[Program]) -> list[Program]:
            if job.check_determinism and tests:
                await self._repeat(some, tests, job.limits, speech.interpreter)
            return await trials.settle(some, positions)

        settling: set[asyncio.Task[list[Program]]] = set()
        arriving: asyncio.Task[list[Program]] | None = None
        try:
            if tests:
                self.pool.put(run, programs, self._share and job.mode == "outside")
            else:
                for untested in programs:
                    run.finished.put_nowait(untested)
            left = len(programs)
            arriving = asyncio.create_task(run.some()) if left else None
            while arriving or settling:
                waiting = settling | {arriving} if arriving else settling
                done, _ = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
                if arriving in done:
                    left -= len(some := arriving.result())
                    settling.add(asyncio.create_task(settle(some)))
                    arriving = asyncio.create_task(run.some()) if left else None
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
        run = PoolRun(limits, tests, urgent=True, seed=seed, interpreter=interpreter)
        try:
            self.pool.put(run, programs, self._share)
            left = len(programs)
            while left:
                left -= len(await run.some())
        finally:
            run.cancelled.set()

    async def _repeat(
        self, programs: list[Program], tests: list[list[str]], limits: Limits, interpreter: tuple[str, ...]
    ) -> None:
        """Runs programs again in cells with other hashes, random numbers and time, and marks what changes."""
        again = [Program(one.key, one.source, one.nature, [None] * len(tests)) for one in programs]
        await self._play(again, tests, limits, 1, interpreter)
        for one, other in zip(programs, again, strict=True):
            one.doubt(other)
