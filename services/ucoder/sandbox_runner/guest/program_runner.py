"""Runs programs inside one fork: the untrusted side. It reports what calls returned, and knows nothing of what is
expected.

A program that runs alone owns this process and may lie in every report; it gains nothing, because a report is only a
value. Programs that share a fork are tame, and after each the interpreter is proved unchanged (`state.py`).
"""

import io
import json
import os
import random
import re
import resource
import sys
import time
import unittest
from types import CodeType
from typing import Any

from ucoder.core.values import TooLarge, canonical
from ucoder.sandbox_runner.guest import interpreter_state, judge
from ucoder.sandbox_runner.guest.block_replay import BlockReplay, ReplayRefused
from ucoder.sandbox_runner.guest.cpu_timer import REPORT, CpuTimer, TimeLimit
from ucoder.sandbox_runner.guest.fixed_time import FixedTime

LONGEST = 0.7
"""Seconds after which a shared fork takes no further program."""
HEAVY_KB = 16 << 10
"""Memory that a program may take in a shared fork; after one that took more no other follows, for what it left would be
collected in the time and the memory of the next."""
_ADDRESS = re.compile(r"\b0x[0-9a-f]{6,}\b")


def report(message: object) -> None:
    """One frame to the warden of this cell: four bytes of length, then JSON."""
    data = json.dumps(message).encode()
    data = len(data).to_bytes(4, "big") + data
    while data:
        data = data[os.write(REPORT, data) :]


class Sink(io.TextIOBase):
    """Standard output that keeps the first `limit` characters and lets the rest go."""

    def __init__(self, limit: int) -> None:
        self.limit, self.size = limit, 0
        self.parts: list[str] = []

    def writable(self) -> bool:
        return True

    def write(self, text: str) -> int:
        if not isinstance(text, str):
            raise TypeError(f"write() argument must be str, not {type(text).__name__}")
        if self.size < self.limit:
            self.parts.append(text[: self.limit - self.size])
        self.size += len(text)
        return len(text)


def error_text(error: BaseException) -> str:
    """`!Type: message`, without what differs from run to run: addresses, and in which call a recursion met its end."""
    try:
        message = "" if isinstance(error, RecursionError) else str(error)[:300]
    except Exception:
        message = ""
    name = type.__getattribute__(type(error), "__name__")[:100]
    return f"!{name}: {_ADDRESS.sub('0x', message)}" if message else f"!{name}"


class ProgramRunner:
    """Runs one program after another on the same tests. `job` is the frame the host sent."""

    def __init__(self, job: dict[str, Any]) -> None:
        self.limits, self.shared = job["limits"], job["shared"]
        self.output_limit = self.limits["output_kb"] * 1024
        self.seed = job["seed"]
        self.judging = job["tests"] == [["judge", ""]]
        self.played: list[list[Any]] = []
        self.tests = [(kind, prepare(kind, text)) for kind, text in job["tests"]]
        self.clock = CpuTimer(self.limits["cpu_seconds"], beat=self.shared)

    def run(self, index: int, source: str, stateless: bool, first: int) -> None:
        """Every test from number `first` on. Alone each result is sent at once, so that a crash costs only its own
        test.
        """
        results: list[list[Any]] = []
        timeouts = 0
        code: CodeType | str | None
        self.random = "random" in source
        self.clock.source = source if stateless else ""
        try:
            code = source if self.judging else compile(source, "<program>", "exec", dont_inherit=True)
        except BaseException as error:
            code, failed = None, ["exception", error_text(error), 0.0]
        namespace: dict[str, Any] | None = None
        for number in range(first, len(self.tests)):
            kind, test = self.tests[number]
            if code is None:
                result = failed
            elif timeouts >= self.limits["give_up_after_timeouts"]:
                result = ["abandoned", "", 0.0]
            else:
                if not stateless or kind != "call":
                    namespace = None
                loaded = namespace is not None
                result, namespace = self.measured(kind, code, test, namespace)
                timeouts += result[0] == "timeout_cpu"
                if kind == "call" and stateless and not (loaded or namespace) and result[0] == "exception":
                    code, failed = None, result  # it would fail to load in the same way again
            if self.shared:
                results.append(result)
            else:
                report({"program": index, "test": number, "result": result})
        if self.shared:
            report({"program": index, "results": results})

    def measured(
        self, kind: str, code: Any, test: Any, namespace: dict[str, Any] | None
    ) -> tuple[list[Any], dict[str, Any] | None]:
        """Runs one test: ([status, text, seconds], the namespace if it may be used again)."""
        self.played = []
        started, clock, text = time.perf_counter(), self.clock, ""
        try:
            clock.start()
            if self.random:
                random.seed(self.seed)
            try:
                if kind == "script":
                    status, text = self.script(code, test)
                elif kind == "judge":
                    sys.stdout = sys.stderr = Sink(0)
                    status, text = judge.run(code, TimeLimit)
                else:
                    if namespace is None:
                        sys.stdout = sys.stderr = Sink(0)
                        fresh = {"__name__": "solution", "__builtins__": __builtins__}
                        exec(code, fresh)
                        namespace = fresh
                    if kind == "call":
                        status, text = "ok", canonical(eval(test, namespace), self.output_limit)
                    elif kind == "steps":
                        status = self.steps(namespace, test)
                    else:
                        status, text = self.compat(namespace, test)
            finally:
                clock.stop()
            if clock.late:  # something between swallowed it: unittest does
                raise TimeLimit
        except TimeLimit:
            status, namespace = "timeout_cpu", None
        except MemoryError:
            status, namespace = "out_of_memory", None
        except TooLarge:
            status = "output_limit"
        except ReplayRefused:
            status = "refused"
        except BaseException as error:
            status, text = self.raised(error)
        if kind == "steps" and status != "exception":
            text = json.dumps(self.played)
        return [status, text, round(time.perf_counter() - started, 6)], namespace

    def raised(self, error: BaseException) -> tuple[str, str]:
        """What an exception means. Its words are the program's: they have no more time than the rest of it."""
        if isinstance(error, BlockingIOError) and error.errno == 11:
            return "process_limit", error_text(error)
        self.clock.armed = True
        try:
            return "exception", error_text(error)
        except TimeLimit:
            return "timeout_cpu", ""
        except MemoryError:
            return "out_of_memory", ""
        finally:
            self.clock.stop()

    def steps(self, namespace: dict[str, Any], steps: list[list[str]]) -> str:
        """The calls of a test whose judge sits elsewhere; what was played stays in `played`, also when time runs
        out.
        """
        player = BlockReplay(namespace, self.output_limit)
        for step in steps:
            self.played.append(player.play(step))
        return "ok"

    def compat(self, namespace: dict[str, Any], test: CodeType) -> tuple[str, str]:
        """The test beside the program, in its namespace, as standard benchmarks do it; the program could forge this."""
        try:
            exec(test, namespace)
            cases = [one for one in namespace.values() if isinstance(one, type) and issubclass(one, unittest.TestCase)]
            return judge.unit_tests(cases)
        except AssertionError as error:
            return "failed", error_text(error)

    def script(self, code: CodeType, stdin: str) -> tuple[str, str]:
        """The program as a script: reads `stdin`, prints to a file that is read back and cut at the limit."""
        descriptor = os.open("stdin", os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o600)
        os.write(descriptor, stdin.encode("utf-8", "surrogateescape"))
        os.lseek(descriptor, 0, os.SEEK_SET)
        os.dup2(descriptor, 0)
        os.close(descriptor)
        descriptor = os.open("stdout", os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o600)
        os.dup2(descriptor, 1)
        stdin_before = sys.stdin
        sys.stdin = io.TextIOWrapper(io.BufferedReader(io.FileIO(0, closefd=False)))
        sys.stdout, sys.stderr = io.TextIOWrapper(io.BufferedWriter(io.FileIO(1, "w", closefd=False))), Sink(0)
        status = "stdout"
        try:
            exec(code, {"__name__": "__main__", "__builtins__": __builtins__})
        except SystemExit as error:
            if error.code not in (None, 0):
                raise
        finally:
            self.clock.armed = False
            try:
                sys.stdout.flush()
            except OSError:
                status = "output_limit"
            sys.stdin = stdin_before
        data = os.pread(descriptor, self.output_limit + 1, 0)
        os.close(descriptor)
        if len(data) > self.output_limit:
            status = "output_limit"
        return status, data[: self.output_limit].decode("utf-8", "replace")


def prepare(kind: str, text: str) -> Any:
    """What is the same for all programs is done once: compiling calls and test files, reading steps."""
    if kind == "call":
        return compile(text, "<test>", "eval", dont_inherit=True)
    if kind == "compat":
        return compile(text, "<test>", "exec", dont_inherit=True)
    return json.loads(text) if kind == "steps" else text


def rehearse(libraries: interpreter_state.Libraries) -> None:
    """Does with an empty program what is done with every other, so that the memory it touches is this fork's own before
    somebody waits for it."""
    limits = {"cpu_seconds": 1.0, "output_kb": 1, "give_up_after_timeouts": 1}
    runner = ProgramRunner({"limits": limits, "shared": False, "seed": 0, "tests": [["call", "f(1)"]]})
    [[kind, test]] = runner.tests
    runner.measured(kind, compile("def f(n):\n    return [n, str(n)]", "<program>", "exec"), test, None)
    runner.clock.end()
    sys.stdout = sys.stderr = None
    interpreter_state.difference(libraries, interpreter_state.switches())


def peak_kb() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def main(job: dict[str, Any], libraries: interpreter_state.Libraries, fixed: FixedTime) -> None:
    """Runs the programs of one job, then ends this process without running what a program may have left for the end."""
    runner = ProgramRunner(job)
    switches = interpreter_state.switches() if job["shared"] else {}
    started, heavy = time.monotonic(), peak_kb() + HEAVY_KB
    for index, source, stateless in job["programs"]:
        if job["shared"] and time.monotonic() - started > LONGEST:
            break  # the others share another fork, so that what is finished need not wait for them
        fixed.restart()
        runner.run(index, source, stateless, job["first"])
        if job["shared"]:
            sys.stdout = sys.stderr = None
            doubt = interpreter_state.difference(libraries, switches)
            if doubt:
                report({"program": index, "doubt": doubt})
            if doubt or peak_kb() > heavy:
                break
    os._exit(0)
