"""The runner of Python programs inside one fork: the untrusted side.

A program that runs alone owns this process and may lie in every report. It gains nothing by that: a report is a value
that is compared outside, or a verdict of which the host believes only a failure. Programs that share a fork are
fork-safe, and after each one `interpreter_state` checks that it left the interpreter unchanged.
"""

import json
import os
import random
import resource
import sys
import time
from types import CodeType
from typing import Any

from ucoder.core.values import TooLarge, written
from ucoder.sandbox_runner.guest import interpreter_state, plain_tests, script_run
from ucoder.sandbox_runner.guest.block_tests import judge
from ucoder.sandbox_runner.guest.block_tests.replay import Answer, BlockReplay, ReplayRefused, Step
from ucoder.sandbox_runner.guest.cell_protocol import (
    ABANDONED,
    CALL,
    ENDED,
    EXCEPTION,
    FAILED,
    JUDGE,
    LIKE,
    OK,
    OUT_OF_MEMORY,
    OUTPUT_LIMIT,
    PLAIN,
    PROCESS_LIMIT,
    REFRESH_STATUS,
    REFUSED,
    REPORT_DESCRIPTOR,
    STEPS,
    TIMEOUT_CPU,
    CellProgram,
    CellTest,
    Job,
)
from ucoder.sandbox_runner.guest.cpu_timer import CpuTimer, TimeLimit
from ucoder.sandbox_runner.guest.fixed_time import FixedTime
from ucoder.sandbox_runner.guest.plain_tests import error_text

LONGEST_SHARED_SECONDS = 0.7
"""After this time a shared fork starts no further program."""
HEAVY_KB = 16 << 10
"""Memory that a program may take in a shared fork. After a program that took more no other follows, because its garbage
would be collected in the time and the memory of the next.
"""
_WARM_UP: Job = {
    "id": 0, "interpreter": [], "most_reports": 1, "shared": True, "script": False, "seed": 0,
    "limits": {"cpu_seconds": 1.0, "output_kb": 1, "give_up_after_timeouts": 1},
    "programs": [], "tests": [[CellTest(CALL, "f(1)")]],
}  # fmt: skip


def report(message: object) -> None:
    """Sends one frame to the first process of this cell: four bytes of length, then JSON."""
    data = json.dumps(message).encode()
    data = len(data).to_bytes(4, "big") + data
    while data:
        data = data[os.write(REPORT_DESCRIPTOR, data) :]


class ProgramRunner:
    """Runs one program after another, each on the tests of its group."""

    def __init__(self, job: Job) -> None:
        self.limits, self.shared = job["limits"], job["shared"]
        self.output_limit = self.limits["output_kb"] * 1024
        self.seed = job["seed"]
        self.answers: list[Answer] = []
        self.tests = [[(kind, prepare(kind, text)) for kind, text in tests] for tests in job["tests"]]
        self.random = any("random" in text for tests in job["tests"] for _, text in tests)
        """Whether the random numbers start anew for each test."""
        self.timer = CpuTimer(self.limits["cpu_seconds"], heartbeat=self.shared)

    def run(self, program: CellProgram, libraries: interpreter_state.Libraries) -> None:
        """Runs every test of a program and reports the results: all at once where programs share the fork, else each at
        once, so that a crash costs only its own test.

        A program that runs alone ends this process with REFRESH_STATUS where it has changed it and has further tests.
        """
        key, source, stateless, group = program
        tests, results = self.tests[group], list[list[Any]]()
        timeouts = 0
        code: CodeType | str | None
        self.random = self.random or "random" in source
        self.timer.source = source if stateless else ""
        try:
            path = script_run.UNNAMED_FILE if self.shared else script_run.place_program(source)
            judging = any(kind == JUDGE for kind, _ in tests)
            code = source if judging else script_run.compile_program(source, path)
        except BaseException as error:
            code, failed = None, [EXCEPTION, error_text(error), 0.0]
        watch = None if self.shared else interpreter_state.ProcessWatch(libraries, script_run.MODULE)
        namespace: dict[str, Any] | None = None
        for number, (kind, test) in enumerate(tests):
            if code is None:
                result = failed
            elif timeouts >= self.limits["give_up_after_timeouts"]:
                result = [ABANDONED, "", 0.0]
            else:
                if not stateless or kind != CALL:
                    namespace = None
                loaded = namespace is not None
                result, namespace = self.measured(kind, code, test, namespace, path)
                timeouts += result[0] == TIMEOUT_CPU
                if kind == CALL and stateless and not (loaded or namespace) and result[0] == EXCEPTION:
                    code, failed = None, result  # it would fail to load in the same way again
            if self.shared:
                results.append(result)
                continue
            report({"program": key, "test": number, "result": result})
            if watch and code and number + 1 < len(tests) and watch.changed():
                os._exit(REFRESH_STATUS)
        if self.shared:
            report({"program": key, "results": results})

    def run_script(self, program: CellProgram) -> None:
        """Runs a program as a script, reports the exception that ended it, and ends this process as it ended."""
        started, timer = time.perf_counter(), self.timer
        if "random" in program.source:
            random.seed(self.seed)

        def ended_by(error: BaseException) -> None:
            timer.stop()
            if timer.late:
                status, text = TIMEOUT_CPU, ""
            elif isinstance(error, SystemExit):
                status, text = ENDED, error_text(error)
            else:
                status, text = self.failed(error)
            result = [status, text, round(time.perf_counter() - started, 6)]
            report({"program": program.key, "test": 0, "result": result})

        timer.start()
        status = script_run.run_script(script_run.write_program(program.source), program.source, [], ended_by)
        os._exit(status)

    def measured(
        self, kind: str, code: Any, test: Any, namespace: dict[str, Any] | None, path: str
    ) -> tuple[list[Any], dict[str, Any] | None]:
        """Runs one test. Returns [status, text, seconds], and the namespace if the next test may use it again."""
        self.answers = []
        started, timer, text = time.perf_counter(), self.timer, ""
        try:
            timer.start()
            if self.random:
                random.seed(self.seed)
            try:
                if kind == JUDGE:
                    sys.stdout = sys.stderr = script_run.OutputSink(0)
                    status, text = judge.run(code, TimeLimit)
                else:
                    if namespace is None:
                        fresh = self.new_namespace(path)
                        exec(code, fresh)
                        namespace = fresh
                    if kind == CALL:
                        text, exact = written(eval(test, namespace), self.output_limit)
                        status = OK if exact else LIKE
                    elif kind == STEPS:
                        status = self.steps(namespace, test)
                    else:
                        status, text = self.plain(namespace, test)
            finally:
                timer.stop()
            if timer.late:  # something on the way caught the exception, as unittest does
                raise TimeLimit
        except TimeLimit:
            status, namespace = TIMEOUT_CPU, None
        except TooLarge:
            status = OUTPUT_LIMIT
        except ReplayRefused:
            status = REFUSED
        except BaseException as error:
            status, text = self.failed(error)
            namespace = None if status == OUT_OF_MEMORY else namespace
        if kind == STEPS and status != EXCEPTION:
            text = json.dumps(self.answers)
        return [status, text, round(time.perf_counter() - started, 6)], namespace

    def new_namespace(self, path: str) -> dict[str, Any]:
        """Returns the namespace of a program that is about to be loaded, with streams for what it prints."""
        if self.shared:
            sys.stdout = sys.stderr = script_run.OutputSink(0)
            return {"__name__": script_run.MODULE, "__builtins__": __builtins__}
        return script_run.new_namespace(path)

    def failed(self, error: BaseException) -> tuple[str, str]:
        """Returns status and text of a program's exception. Its message is the program's own code, so the time limit
        holds for it too.
        """
        if isinstance(error, MemoryError):
            return OUT_OF_MEMORY, ""
        if isinstance(error, BlockingIOError) and error.errno == 11:
            return PROCESS_LIMIT, error_text(error)
        self.timer.armed = True
        try:
            return EXCEPTION, error_text(error)
        except TimeLimit:
            return TIMEOUT_CPU, ""
        except MemoryError:
            return OUT_OF_MEMORY, ""
        finally:
            self.timer.stop()

    def steps(self, namespace: dict[str, Any], steps: list[Step]) -> str:
        """Does the steps of a block test; the answers so far are in `answers`, also when time runs out."""
        replay = BlockReplay(namespace, self.output_limit)
        for step in steps:
            self.answers.append(replay.play(step))
        return OK

    def plain(self, namespace: dict[str, Any], test: plain_tests.TestFile) -> tuple[str, str]:
        """Runs a test file in the program's namespace. The program may forge a pass; the host knows that."""
        try:
            return test.run(namespace)
        except AssertionError as error:
            return FAILED, error_text(error)


def prepare(kind: str, text: str) -> Any:
    """Does once what is the same for all programs: compiles calls and test files, reads steps."""
    if kind == CALL:
        return compile(text, "<test>", "eval", dont_inherit=True)
    if kind == PLAIN:
        return plain_tests.TestFile(text)
    return json.loads(text) if kind == STEPS else text


def warm_up(libraries: interpreter_state.Libraries) -> None:
    """Runs an empty program as every other is run, so that this fork has its own copy of the memory that this touches
    before somebody waits for it.
    """
    runner = ProgramRunner(_WARM_UP)
    [[(kind, test)]] = runner.tests
    runner.measured(kind, compile("def f(n):\n    return [n, str(n)]", "<program>", "exec"), test, None, "")
    runner.timer.end()
    sys.stdout = sys.stderr = None
    interpreter_state.difference(libraries, interpreter_state.settings())


def peak_kb() -> int:
    """Returns the peak memory of this process in KB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def main(job: Job, libraries: interpreter_state.Libraries, fixed: FixedTime) -> None:
    """Runs the programs of one job, then ends this process without running any exit handler of theirs."""
    runner = ProgramRunner(job)
    programs = [CellProgram(*program) for program in job["programs"]]
    if job["script"]:
        fixed.restart()
        runner.run_script(programs[0])
    settings = interpreter_state.settings() if job["shared"] else {}
    started, heavy = time.monotonic(), peak_kb() + HEAVY_KB
    for program in programs:
        if job["shared"] and time.monotonic() - started > LONGEST_SHARED_SECONDS:
            break  # the others share another fork, so that finished programs need not wait for them
        fixed.restart()
        runner.run(program, libraries)
        if job["shared"]:
            sys.stdout = sys.stderr = None
            doubt = interpreter_state.difference(libraries, settings)
            if doubt:
                report({"program": program.key, "doubt": doubt})
            if doubt or peak_kb() > heavy:
                break
    os._exit(0)
