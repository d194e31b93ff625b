"""The sandbox: takes programs and tests, yields results as programs finish. Cells stay warm between jobs.

async with Sandbox.open() as sandbox:
    async for result in sandbox.execute(SandboxJob(programs, tests, entry_point)):
        ...
"""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

from ucoder.core.test_plans import Plan
from ucoder.errors import Overloaded
from ucoder.sandbox_runner.host import gvisor_platforms
from ucoder.sandbox_runner.host.pool import Pool
from ucoder.sandbox_runner.host.program import PoolRun, Program
from ucoder.sandbox_runner.host.result_cache import ResultCache
from ucoder.sandbox_runner.isolation import choice
from ucoder.sandbox_runner.isolation.boundary import NoIsolation, Root
from ucoder.sandbox_runner.judging.job_tests import JobTests
from ucoder.sandbox_runner.languages import Language, language
from ucoder.sandbox_runner.program_runs import ProgramRuns
from ucoder.sandbox_runner.sandbox_job import Limits, ProgramResult, SandboxJob

__all__ = ["NoIsolation", "Sandbox"]


class Sandbox:
    """A pool of warm cells that runs jobs. Made by `open`."""

    def __init__(self, kind: str, root: Root, pool: Pool, queue: int, share_forks: bool, cache: int) -> None:
        self.isolation = kind
        """The kind of boundary around the cells."""
        self.pool = pool
        self.runs = ProgramRuns(pool, queue, cache)
        """Runs programs for their output."""
        self._root, self._share = root, share_forks
        self._cache = ResultCache(cache, f"{kind} {root.version}")
        self._most_waiting, self._waiting = queue, 0

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
        """Starts `cells` cells (default: one per core); ends them, their processes and files when the block is left.

        `isolation`: auto, runsc, bubblewrap, pod or none. `rootfs`: a folder to use as the cells' root instead of one
        composed from this interpreter. `packages`: a folder of third-party packages that programs may import, made by
        `pip install --target` with this interpreter. `queue`: programs that may wait before `execute` raises
        `Overloaded`. `share_forks=False` gives every program a fork of its own. `cache`: how many results are kept by
        content. Raises `NoIsolation`, or `Retry` when no cell starts.
        """
        kind = await asyncio.to_thread(choice.choose, isolation)
        root = await asyncio.to_thread(kind.root, rootfs, packages)
        kind = await gvisor_platforms.on_fastest_platform(kind, root)
        async with Pool.open(kind, root, cells) as pool:
            yield cls(kind.name, root, pool, queue, share_forks, cache)

    async def execute(self, job: SandboxJob, queue: str = "") -> AsyncIterator[ProgramResult]:
        """Runs every program on every test, identical programs once. Yields one result per index as programs finish.

        Jobs in the queue of one name wait for each other; queues take turns.

        Leaving the iteration stops the work. Raises `Overloaded` when too many programs wait, `Reject` for an unknown
        language.
        """
        adapter = language(job.language)
        plans = [adapter.read_plan(test, job.entry_point, job.mode == "compat") for test in job.tests]
        indices: dict[str, list[int]] = {}
        for index, source in enumerate(job.programs):
            indices.setdefault(source, []).append(index)
        keys = self._cache.keys(job)
        for source in list(indices):
            if known := self._cache.find(keys[source]):
                same = indices.pop(source)
                for index in same:
                    yield replace(known, program=index, duplicates=len(same), cached=True)
        if self._waiting + len(indices) > self._most_waiting:
            raise Overloaded(
                f"The sandbox is full: {self._waiting} programs are waiting and {len(indices)} more do not fit. "
                "Try again later."
            )
        self._waiting += len(indices)
        left = len(indices)
        try:
            async with contextlib.aclosing(self._programs(job, queue, plans, list(indices), adapter)) as finished:
                async for source, result in finished:
                    left -= 1
                    self._waiting -= 1
                    same = indices[source]
                    counted = replace(result, program=same[0], duplicates=len(same))
                    self._cache.keep(keys[source], counted)
                    for index in same:
                        yield replace(counted, program=index)
        finally:
            self._waiting -= left

    async def _programs(
        self, job: SandboxJob, queue: str, plans: list[Plan], sources: list[str], adapter: Language
    ) -> AsyncGenerator[tuple[str, ProgramResult]]:
        """Yields the sources of distinct programs as they finish, each with its result."""
        tests = JobTests(plans, job, lambda programs: self._run_urgently(programs, job.limits))
        programs = await tests.programs(
            sources, [adapter.fork_safety(source, self._root.absent) for source in sources], self._root.absent
        )
        run = PoolRun(job.limits, interpreter=adapter.interpreter, queue=queue)

        async def finish(some: list[Program]) -> list[Program]:
            if job.check_determinism:
                await self._repeat(some, job.limits, adapter.interpreter)
            await tests.finish(some)
            return some

        finishing: set[asyncio.Task[list[Program]]] = set()
        arriving: asyncio.Task[list[Program]] | None = None
        try:
            self.pool.submit(run, [one for one in programs if one.tests], self._share and job.mode == "outside")
            for untested in programs:
                if not untested.tests:
                    run.finished.put_nowait(untested)
            left = len(programs)
            arriving = asyncio.create_task(run.next_finished()) if left else None
            while arriving or finishing:
                waiting = finishing | {arriving} if arriving else finishing
                done, _ = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
                if arriving in done:
                    left -= len(some := arriving.result())
                    finishing.add(asyncio.create_task(finish(some)))
                    arriving = asyncio.create_task(run.next_finished()) if left else None
                for task in done & finishing:
                    finishing.discard(task)
                    for program in task.result():
                        yield program.source, tests.result(program)
        finally:
            run.cancelled.set()
            for task in finishing | {arriving} if arriving else finishing:
                task.cancel()

    async def _run_urgently(
        self, programs: list[Program], limits: Limits, seed: int = 0, interpreter: tuple[str, ...] = ()
    ) -> None:
        """Runs programs before everything that waits; their results are in the programs afterwards."""
        run = PoolRun(limits, urgent=True, seed=seed, interpreter=interpreter)
        try:
            self.pool.submit(run, programs, self._share)
            left = len(programs)
            while left:
                left -= len(await run.next_finished())
        finally:
            run.cancelled.set()

    async def _repeat(self, programs: list[Program], limits: Limits, interpreter: tuple[str, ...]) -> None:
        """Runs programs again in cells with other hashes, random numbers and time, and marks what changes."""
        repeated = [one for one in programs if one.tests]
        again = [Program(one.key, one.source, one.fork_safety, one.tests) for one in repeated]
        await self._run_urgently(again, limits, 1, interpreter)
        for program, other in zip(repeated, again, strict=True):
            program.mark_differences(other)
