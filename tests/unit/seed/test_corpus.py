"""The corpus and the two benchmark files: deterministic, disjoint, and right about what the corpus has shown."""

import json
import random
from collections import Counter
from hashlib import sha256
from itertools import islice

import pytest

from ucoder.models.prompts import STAGES, Prompts
from ucoder_development import seed_benchmark
from ucoder_development.seed_benchmark import BENCHMARK, DEV, HIDDEN_INPUTS, build, read_task_file
from ucoder_development.seed_catalogue import OPERATIONS, phrases_and_answers
from ucoder_development.seed_corpus import corpus_problem, documents, is_held_out
from ucoder_development.seed_problem import DOMAINS, SeedProblem, SeedStep
from ucoder_development.seed_solutions import written_body

FILES = {"benchmark": read_task_file(BENCHMARK), "dev": read_task_file(DEV)}


def test_the_stream_depends_on_its_seed_alone() -> None:
    def digest(seed: int) -> str:
        return sha256(repr(list(islice(documents(seed), 100))).encode()).hexdigest()

    assert digest(1) == digest(1)
    assert digest(1) != digest(2)


def test_the_shipped_files_are_what_the_program_writes() -> None:
    assert json.loads(json.dumps(build())) == FILES
    assert json.loads(seed_benchmark.OPERATIONS.read_text()) == phrases_and_answers()


def test_no_corpus_problem_has_a_held_out_pair() -> None:
    rng = random.Random(2)
    assert not [p for p in (corpus_problem(rng) for _ in range(2000)) if is_held_out(p.composition)]


@pytest.mark.parametrize("file", FILES)
def test_half_of_a_file_was_never_seen(file: str) -> None:
    tasks = FILES[file]
    assert Counter(task["split"] for task in tasks) == {"seen": len(tasks) / 2, "held_out": len(tasks) / 2}
    for task in tasks:
        assert is_held_out(tuple(task["composition"])) == (task["split"] == "held_out")


def test_the_files_share_no_composition() -> None:
    names = [tuple(task["composition"]) for tasks in FILES.values() for task in tasks]
    assert len(set(names)) == len(names)
    assert len(FILES["benchmark"]) >= 140
    assert len(FILES["dev"]) >= 60


@pytest.mark.parametrize("file", FILES)
def test_canonical_solutions_pass_and_nonsense_does_not(file: str) -> None:
    for task in FILES[file]:
        scope: dict[str, object] = {}
        exec(task["prompt"] + task["canonical_solution"] + task["test"], scope)
        check = scope["check"]
        assert callable(check)
        check(scope[task["entry_point"]])
        assert task["test"].count("assert") == HIDDEN_INPUTS
        with pytest.raises(AssertionError):
            check(lambda *_: None)


def test_a_clean_stream_has_no_myth() -> None:
    operation = OPERATIONS["positives"]
    problem = SeedProblem("algorithms", "f", "xs", (SeedStep(operation),))
    rng = random.Random(0)
    clean = {written_body(problem, rng, 0.0, 0.0) for _ in range(200)}
    rough = {written_body(problem, rng, 0.5, 0.0) for _ in range(200)}
    assert any(">= 0" in body for body in rough)
    assert not any(">= 0" in body for body in clean)
    assert problem.reference_body() in clean


@pytest.mark.parametrize("stage", STAGES)
def test_a_prompt_ends_with_one_newline(stage: str) -> None:
    statement = 'def f(xs: list[int]) -> int:\n    """Compute the sum.\n    """\n'
    text = Prompts.load("seed").render(stage, problem=statement, domain=DOMAINS[0], difficulty=2)
    assert text.startswith("# ")
    assert text.endswith("\n")
    assert not text.endswith("\n\n")
    if stage != "problem":
        assert text.endswith(statement)
        assert text == Prompts.load("seed").render(stage, problem=statement.rstrip("\n"))
