"""One cell as the host sees it: a process that speaks frames, and that is replaced when it hangs or dies.

Everything that comes out of a cell is hostile: lengths are bounded, JSON is read strictly, and a report of any other
form is no result.
"""

import asyncio
import contextlib
import json
import os
import signal
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from ucoder.sandbox_runner.guest.cell_protocol import (
    BODY,
    ENDING,
    GREETING,
    JUDGE,
    OUTPUT,
    REPORT,
    STEPS,
    TIMEOUT_CPU,
    Job,
)
from ucoder.sandbox_runner.host import machine_load
from ucoder.sandbox_runner.isolation.boundary import Launch
from ucoder.sandbox_runner.outcome_table import ALLOWED_STATUSES

_LARGEST_FRAME = 9 << 20
_START_SECONDS = 60.0
_SLACK_SECONDS = 5.0
"""How much longer than a test's wall limit a cell may be silent."""


class CellLost(Exception):
    """The cell hung, died or broke the protocol, so its work must run again in another."""


@dataclass(frozen=True, slots=True)
class CellResult:
    """The result of one test in a cell: a status (a key of `outcome_table.OUTCOME_OF`), a text, and seconds."""

    status: str
    text: str
    seconds: float


@dataclass(frozen=True, slots=True)
class ProgramReport:
    """The results of one program, number `program` of its job, from test `first` on."""

    program: int
    first: int
    results: tuple[CellResult, ...]
    doubt: str = ""
    """What the program changed in the interpreter that it shares; empty if nothing."""
    lost: float = 0.0
    """Seconds that others may have taken from the tests that timed out."""

    @property
    def timed_out(self) -> bool:
        """True when a test used up its processor time."""
        return any(result.status == TIMEOUT_CPU for result in self.results)


@dataclass(frozen=True, slots=True)
class ForkEnd:
    """The end of a fork: a reason of `guest/cell_protocol`, its wait status, its peak memory in MB."""

    why: str
    status: int
    peak_mb: float
    clock_factor: float = 1.0
    """How many times too fast the clock of the cell was meanwhile (`machine_load`)."""
    seconds: float = 0.0
    """Its processor time."""


class Cell:
    """A started cell."""

    def __init__(self, process: asyncio.subprocess.Process, launch: Launch) -> None:
        self._process, self._launch = process, launch
        self.served = 0
        """How many programs it was sent."""
        self.suspect = False
        """True once it has sent a report that no runner of ours would send."""

    @classmethod
    async def start(cls, launch: Launch) -> "Cell":
        """Starts the command and waits for its greeting; raises `CellLost` with the reason."""
        process = await asyncio.create_subprocess_exec(
            *launch.command,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            limit=1 << 18,
        )
        cell = cls(process, launch)
        try:
            tag, _ = await cell._read_frame(_START_SECONDS)
            if tag != GREETING:
                raise CellLost("no greeting")
        except CellLost as lost:
            assert process.stderr is not None
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            words = (await process.stderr.read(2000)).decode("utf-8", "replace").strip()
            await cell.close()
            raise CellLost(f"the cell did not start: {words or lost}") from lost
        except BaseException:
            await cell.close()
            raise
        return cell

    async def run(
        self,
        job: Job,
        on_report: Callable[[ProgramReport], None],
        on_output: Callable[[int, bytes], None] = lambda stream, data: None,
    ) -> ForkEnd:
        """Sends a job and calls `on_report` with each report, and `on_output` with each part of the output of a program
        that is run for it, until the fork has ended; raises `CellLost` when the cell falls silent.
        """
        assert self._process.stdin is not None
        body = json.dumps({name: job[name] for name in BODY if name in job}).encode()  # type: ignore[literal-required]
        head = {name: value for name, value in job.items() if name not in BODY} | {"size": len(body)}
        data = json.dumps(head).encode()
        silence = float(job["limits"]["wall_seconds"]) + _SLACK_SECONDS
        waits = machine_load.ProcessorWait(self._process.pid) if self._launch.clock_drifts else None
        used = self.processor_seconds if waits else 0.0
        self.served += len(job["programs"])
        try:
            self._process.stdin.write(len(data).to_bytes(4, "big") + data + body)
            await self._process.stdin.drain()
        except OSError as error:
            raise CellLost(f"the cell has ended: {error}") from error
        while True:
            tag, payload = await self._read_frame(silence)
            if tag == REPORT:
                report = read_report(payload, job)
                if report is None:
                    self.suspect = True
                else:
                    on_report(replace(report, lost=waits.read()) if waits and report.timed_out else report)
            elif tag == OUTPUT and payload:
                on_output(payload[0], payload[1:])
            elif tag == ENDING:
                ending = json.loads(payload)
                claimed = float(ending["processor"])
                factor = machine_load.clock_factor(claimed, self.processor_seconds - used) if waits else 1.0
                peak_mb = int(ending["peak_kb"]) / 1024
                return ForkEnd(str(ending["why"]), int(ending["status"]), peak_mb, factor, claimed)

    @property
    def memory_mb(self) -> float:
        """Memory that the cell takes on this machine, in MB."""
        return machine_load.resident_mb(self._process.pid)

    @property
    def processor_seconds(self) -> float:
        """Processor time that the cell has taken on this machine so far."""
        return machine_load.processor_seconds(self._process.pid)

    async def _read_frame(self, seconds: float) -> tuple[bytes, bytes]:
        """Returns tag and payload of the next frame; raises `CellLost` when none comes in time."""
        reader = self._process.stdout
        assert reader is not None
        try:
            async with asyncio.timeout(seconds):
                size = int.from_bytes(await reader.readexactly(4), "big")
                if not 0 < size <= _LARGEST_FRAME:
                    raise CellLost(f"a frame of {size} bytes")
                data = await reader.readexactly(size)
        except TimeoutError as error:
            raise CellLost(f"silent for {seconds:.0f} s") from error
        except (asyncio.IncompleteReadError, OSError) as error:
            raise CellLost("the cell died") from error
        return data[:1], data[1:]

    async def close(self) -> None:
        """Ends the cell and removes what it leaves: closes its standard input, and kills it if it does not end then."""
        process = self._process
        assert process.stdin is not None
        process.stdin.close()
        cancelled: asyncio.CancelledError | None = None
        try:
            async with asyncio.timeout(1.0):
                await process.wait()
        except TimeoutError:
            # A cell that does not end by itself may hang, and a command that asks it to end would hang with it.
            for pid in machine_load.process_tree(process.pid):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
        except asyncio.CancelledError as error:
            cancelled = error  # raised once the cell is gone, so that no cell is left behind
        await asyncio.shield(asyncio.to_thread(self._launch.dispose))
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()
        if cancelled:
            raise cancelled


def read_report(payload: bytes, job: Job) -> ProgramReport | None:
    """Returns a report of the right form, or None: what a program sends instead of one is no result."""
    try:
        report = json.loads(payload)
        program, doubt = report["program"], report.get("doubt", "")
        alone = "test" in report
        results = [report["result"]] if alone else report.get("results", [])
        first = report["test"] if alone else 0
        if type(program) is not int or not 0 <= program < len(job["programs"]) or not isinstance(doubt, str):
            return None
        tests = job["tests"][job["programs"][program].group]
        if type(first) is not int or first < 0 or first + len(results) > len(tests):
            return None
        kinds = [kind for kind, _ in tests[first : first + len(results)]]
        longest = {kind: _longest_text(kind, job) for kind in kinds}
        checked = tuple(_result(item, kind, longest[kind]) for item, kind in zip(results, kinds, strict=True))
        return ProgramReport(program, first, checked, doubt[:200])
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return None


def _longest_text(kind: str, job: Job) -> int:
    """Returns how many characters a result may have: the limit of what a program returns or prints, and some more for
    an exception's message.
    """
    return _LARGEST_FRAME if kind in (STEPS, JUDGE) else int(job["limits"]["output_kb"]) * 1024 + 1000


def _result(item: Any, kind: str, longest: int) -> CellResult:
    status, text, seconds = item
    if len(text) > longest:
        raise ValueError("more than the limit allows")
    if status not in ALLOWED_STATUSES[kind] or not isinstance(text, str) or not isinstance(seconds, int | float):
        raise ValueError("not a result")
    if not 0 <= seconds < 1e6:
        raise ValueError("no such time")
    return CellResult(status, text.encode("utf-8", "backslashreplace").decode(), float(seconds))
