"""Makes the benchmark and the dev split of the seed model, in HumanEval's JSONL format, and the file of its grammar.

`python -m ucoder_development.seed_benchmark` writes the three files again, byte for byte. Half of the tasks are
`held_out`: they have a pair of neighbouring operations that no solution of the corpus contains. No composition is in
both files of tasks.
"""

import argparse
import gzip
import json
import random
from collections.abc import Iterable
from dataclasses import replace
from importlib import resources
from pathlib import Path
from typing import Any

from ucoder_development.seed_catalogue import phrases_and_answers
from ucoder_development.seed_corpus import LONGEST_VALUE, is_held_out, solver, stated
from ucoder_development.seed_invention import invent
from ucoder_development.seed_problem import DOMAINS, SeedProblem

FOLDER = Path(str(resources.files("ucoder.seed")))
BENCHMARK = FOLDER / "benchmark.jsonl.gz"
DEV = FOLDER / "dev.jsonl.gz"
OPERATIONS = FOLDER / "operations.json"
SIZES = {"benchmark": 160, "dev": 80}
HIDDEN_INPUTS = 24
DIFFICULTIES = {"seen": (0.30, 0.30, 0.20, 0.12, 0.08), "held_out": (0.0, 0.38, 0.32, 0.20, 0.10)}

Task = dict[str, Any]


def build(seed: int = 0) -> dict[str, list[Task]]:
    """Returns file name -> tasks. The same seed gives the same tasks."""
    rng = random.Random(f"benchmark {seed}")
    used: set[tuple[str, ...]] = set()
    files = {}
    for file, size in SIZES.items():
        tasks = []
        for index in range(size):
            split = ("seen", "held_out")[index % 2]
            problem = _fresh(rng, DOMAINS[index // 2 % len(DOMAINS)], split, used)
            tasks.append(_task(f"seed-{file}/{index}", problem, split, rng))
        files[file] = tasks
    return files


def _fresh(rng: random.Random, domain: str, split: str, used: set[tuple[str, ...]]) -> SeedProblem:
    while True:
        problem = invent(rng, domain, rng.choices(range(1, 6), DIFFICULTIES[split])[0])
        fits = is_held_out(problem.composition) == (split == "held_out")
        if fits and problem.composition not in used and _is_sensitive(problem):
            used.add(problem.composition)
            return problem


def _is_sensitive(problem: SeedProblem) -> bool:
    """Returns whether a wrong program would fail: outputs vary and are short, and every step changes them."""
    given = problem.inputs(random.Random("telling"), 40)
    answer = solver(problem)
    values = [repr(answer(text)) for text in given]
    if max(map(len, values)) > LONGEST_VALUE:
        return False
    if problem.target == "bool":
        varied = min(values.count("True"), values.count("False")) >= 6
    else:
        varied = len(set(values)) >= 8
    return varied and all(
        [repr(solver(shorter)(text)) for text in given] != values for shorter in _without_one_step(problem)
    )


def _without_one_step(problem: SeedProblem) -> Iterable[SeedProblem]:
    for i, step in enumerate(problem.steps):
        if len(problem.steps) > 1 and step.operation.source == step.operation.target:
            shorter = replace(problem, steps=problem.steps[:i] + problem.steps[i + 1 :])
            if shorter.takes_second == problem.takes_second:
                yield shorter


def _task(task_id: str, problem: SeedProblem, split: str, rng: random.Random) -> Task:
    prompt = stated(problem, rng)
    assert prompt is not None, problem
    answer = solver(problem)
    checks = (f"    assert candidate({text}) == {answer(text)!r}\n" for text in problem.inputs(rng, HIDDEN_INPUTS))
    return {
        "task_id": task_id,
        "prompt": prompt,
        "entry_point": problem.name,
        "canonical_solution": problem.reference_body(),
        "test": "def check(candidate):\n" + "".join(checks),
        "split": split,
        "composition": list(problem.composition),
        "difficulty": problem.difficulty,
        "domain": problem.domain,
    }


def read_task_file(path: Path) -> list[Task]:
    """Reads the tasks of a file."""
    with gzip.open(path, "rt") as lines:
        return [json.loads(line) for line in lines]


def write_task_file(path: Path, tasks: list[Task]) -> None:
    """Writes tasks into a file; the same tasks give the same bytes."""
    text = "".join(json.dumps(task) + "\n" for task in tasks)
    path.write_bytes(gzip.compress(text.encode(), mtime=0))


def evaluation_of_few_tasks(folder: Path, step: int) -> dict[str, str | int]:
    """Writes every `step`-th task of the shipped benchmark into a file of the folder, and as many others as dev split.

    Returns the keys of a run's `evaluation` that use these files and the fewest samples, for runs whose score does not
    matter.
    """
    tasks = read_task_file(BENCHMARK)
    files = {name: folder / f"{name}.jsonl" for name in ("benchmark", "dev")}
    for start, file in enumerate(files.values()):
        file.write_text("".join(json.dumps(task) + "\n" for task in tasks[start::step]))
    return {name: str(file) for name, file in files.items()} | {"samples": 1, "dev_samples": 1, "cool_samples": 1}


def main() -> None:
    """Writes the three files."""
    argparse.ArgumentParser(description="Write the seed's benchmark, dev file and grammar.").parse_args()
    files = build()
    write_task_file(BENCHMARK, files["benchmark"])
    write_task_file(DEV, files["dev"])
    OPERATIONS.write_text(json.dumps(phrases_and_answers(), indent=1) + "\n")


if __name__ == "__main__":
    main()
