"""One cell as the host sees it: a process that speaks frames, watched, and replaced when it hangs or dies.

Everything that comes out is hostile: lengths are bounded, JSON is read strictly, and what does not fit is no result.
"""

import asyncio
import contextlib
import json
import os
import signal
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Final

from ucoder.sandbox_runner.host.machine_load import Waiting, family, processor_seconds, resident_mb, stretch
from ucoder.sandbox_runner.isolation.boundary import Launch

_FAILURES = {"exception", "timeout_cpu", "out_of_memory", "output_limit", "process_limit", "abandoned"}
STATUSES: Final = {
    "call": _FAILURES | {"ok"},
    "steps": _FAILURES | {"ok", "refused"},
    "script": _FAILURES | {"stdout"},
    "compat": _FAILURES | {"passed", "failed"},
    "judge": _FAILURES | {"passed", "failed", "unsupported", "stopped", "steps"},
}
"""What may be said of a test of each kind. Only a judge, or a test declared to run beside its program, speaks of
passing.
"""
_LARGEST_FRAME = 9 << 20
_START_SECONDS = 60.0
_SLACK_SECONDS = 5.0


class CellLost(Exception):
    """The cell hung, died or broke the protocol; its work must be run again in another."""


@dataclass(frozen=True, slots=True)
class CellResult:
    """What the inside says about one test: a status of its kind, a text, seconds."""

    status: str
    text: str
    seconds: float


@dataclass(frozen=True, slots=True)
class Report:
    """Results of one program from test `first` on; `doubt` is set when it may have left something behind."""

    program: int
    first: int
    results: tuple[CellResult, ...]
    doubt: str = ""
    lost: float = 0.0
    """Of the time inside that was counted for tests which timed out: seconds that may have gone to others."""

    @property
    def timed_out(self) -> bool:
        """Whether a test's time was up."""
        return any(result.status == "timeout_cpu" for result in self.results)


@dataclass(frozen=True, slots=True)
class Ending:
    """How a fork ended: exit, timeout_cpu, timeout_wall or talk; its wait status; its peak memory in MB."""

    why: str
    status: int
    peak_mb: float
    stretch: float = 1.0
    """How much too fast the clock inside was meanwhile (`load.py`)."""


class Cell:
    """A started cell. `run` sends one job and relays what comes back until the fork has ended."""

    def __init__(self, process: asyncio.subprocess.Process, launch: Launch) -> None:
        self._process, self._launch = process, launch
        self.served = 0
        self.suspect = False

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
            tag, _ = await cell._frame(_START_SECONDS)
            if tag != b"H":
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

    async def run(self, job: dict[str, Any], heard: Callable[[Report], None]) -> Ending:
        """Sends `job` and calls `heard` with each report; raises `CellLost` when the cell stops talking."""
        assert self._process.stdin is not None
        body = json.dumps({"programs": job["programs"], "tests": job["tests"]}).encode()
        head = {name: job[name] for name in job if name not in ("programs", "tests")} | {"size": len(body)}
        first = json.dumps(head).encode()
        silence = float(job["limits"]["wall_seconds"]) + _SLACK_SECONDS
        waiting = Waiting(self._process.pid) if self._launch.drifts else None
        used = self.processor_seconds if waiting else 0.0
        self.served += len(job["programs"])
        try:
            self._process.stdin.write(len(first).to_bytes(4, "big") + first + body)
            await self._process.stdin.drain()
        except OSError as error:
            raise CellLost(f"the cell is gone: {error}") from error
        while True:
            tag, payload = await self._frame(silence)
            if tag == b"R":
                report = read_report(payload, job)
                if report is None:
                    self.suspect = True
                else:
                    heard(replace(report, lost=waiting.look()) if waiting and report.timed_out else report)
            elif tag == b"E":
                said = json.loads(payload)
                claimed = float(said["processor"])
                drift = stretch(claimed, self.processor_seconds - used) if waiting else 1.0
                return Ending(str(said["why"]), int(said["status"]), int(said["peak_kb"]) / 1024, drift)

    @property
    def memory_mb(self) -> float:
        """Memory that the cell takes on this machine."""
        return resident_mb(self._process.pid)

    @property
    def processor_seconds(self) -> float:
        """Processor time that the cell has taken on this machine so far."""
        return processor_seconds(self._process.pid)

    async def _frame(self, seconds: float) -> tuple[bytes, bytes]:
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
        """Ends the cell and removes what it leaves. Closing standard input is asking; killing follows."""
        process = self._process
        assert process.stdin is not None
        process.stdin.close()
        cancelled: asyncio.CancelledError | None = None
        try:
            async with asyncio.timeout(1.0 if self.served >= 0 else 0.0):
                await process.wait()
        except TimeoutError:
            # One that does not even end when asked may hang, and whoever asks it again would hang with it.
            for pid in family(process.pid):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
        except asyncio.CancelledError as error:
            cancelled = error  # told once the cell is gone: who waits here must end, but not leave a cell behind
        await asyncio.shield(asyncio.to_thread(self._launch.dispose))
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()
        if cancelled:
            raise cancelled


def read_report(payload: bytes, job: dict[str, Any]) -> Report | None:
    """A report as it should be, or None: what a program writes there instead of one is no result."""
    try:
        said = json.loads(payload)
        program, doubt = said["program"], said.get("doubt", "")
        alone = "test" in said
        results = [said["result"]] if alone else said.get("results", [])
        first = said["test"] if alone else job["first"]
        known = {index for index, _, _ in job["programs"]}
        if program not in known or isinstance(program, bool) or not isinstance(doubt, str):
            return None
        if not isinstance(first, int) or first < job["first"] or first + len(results) > len(job["tests"]):
            return None
        kinds = [kind for kind, _ in job["tests"][first : first + len(results)]]
        longest = {kind: _longest(kind, job) for kind in kinds}
        found = tuple(_result(item, kind, longest[kind]) for item, kind in zip(results, kinds, strict=True))
        return Report(program, first, found, doubt[:200])
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return None


def _longest(kind: str, job: dict[str, Any]) -> int:
    """Characters of a result: what a program returned or printed is within its limit, and an exception's words are
    few."""
    return _LARGEST_FRAME if kind in ("steps", "judge") else int(job["limits"]["output_kb"]) * 1024 + 1000


def _result(item: Any, kind: str, longest: int) -> CellResult:
    status, text, seconds = item
    if len(text) > longest:
        raise ValueError("more than the limit allows")
    if status not in STATUSES[kind] or not isinstance(text, str) or not isinstance(seconds, int | float):
        raise ValueError("not a result")
    if not 0 <= seconds < 1e6:
        raise ValueError("no such time")
    return CellResult(status, text.encode("utf-8", "backslashreplace").decode(), float(seconds))
