"""The baseline of `ucoder bench sandbox`: a fork per program without isolation, as fast as Python can do it.

Reads `{"cpu_seconds", "give_up", "tasks": [[entry point, programs, calls], ...]}` on standard input and prints how many
programs ran.
"""

import json
import os
import signal
import sys
from types import CodeType


class _TimeLimit(BaseException):
    """The processor time of a test is used up."""


def _raise_time_limit(*_: object) -> None:
    raise _TimeLimit


def _run(program: str, calls: list[CodeType], seconds: float, give_up: int) -> None:
    """Runs a program and its calls; `give_up` time-outs end it."""
    space: dict[str, object] = {"__name__": "solution"}
    signal.signal(signal.SIGPROF, _raise_time_limit)
    timeouts = 0
    for number, call in enumerate([None, *calls]):
        signal.setitimer(signal.ITIMER_PROF, seconds)
        try:
            if call is None:
                exec(compile(program, "<program>", "exec"), space)
            else:
                eval(call, space)
        except _TimeLimit:
            timeouts += 1
        except BaseException:
            if number == 0:
                break
        if timeouts >= give_up:
            break
    signal.setitimer(signal.ITIMER_PROF, 0)


def main() -> None:
    """Runs all tasks of standard input, one fork after the other."""
    work = json.load(sys.stdin)
    count = 0
    for _, programs, sources in work["tasks"]:
        calls = [compile(source, "<test>", "eval") for source in sources]
        for program in programs:
            child = os.fork()
            if child == 0:
                sys.stdout = sys.stderr = open(os.devnull, "w")  # noqa: SIM115
                try:
                    _run(program, calls, work["cpu_seconds"], work["give_up"])
                finally:
                    os._exit(0)
            os.waitpid(child, 0)
            count += 1
    print(count)


if __name__ == "__main__":
    main()
