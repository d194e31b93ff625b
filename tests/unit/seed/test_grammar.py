"""The seed's grammar: every operation does what its phrase says, and a statement parses back to its problem."""

import ast
import random

import pytest

from ucoder.seed import reference as answer_key
from ucoder.seed.inputs import arguments
from ucoder.seed.reference import FRAMES
from ucoder_development.seed_catalogue import BY_PHRASE, OPERATIONS
from ucoder_development.seed_corpus import corpus_problem, solver, stated
from ucoder_development.seed_invention import invent
from ucoder_development.seed_operation import Operation
from ucoder_development.seed_problem import DOMAINS, SeedProblem, SeedStep


def _alone(operation: Operation, way: str) -> list[str]:
    """Returns the values of one way of writing an operation, on many inputs."""
    number = "3" if operation.takes_number else ""
    given = arguments(random.Random(7), operation.source, False, (3,), 38)
    return [repr(eval(way.replace("$k", number).replace("$v", "v"), {"v": ast.literal_eval(text)})) for text in given]


@pytest.mark.parametrize("operation", OPERATIONS.values(), ids=OPERATIONS)
def test_correct_ways_agree_and_a_myth_does_not(operation: Operation) -> None:
    first, *others = (_alone(operation, way) for way in operation.ways)
    assert all(other == first for other in others)
    if operation.myth:
        assert _alone(operation, operation.myth) != first


@pytest.mark.parametrize("operation", [o for o in OPERATIONS.values() if o.block], ids=lambda o: o.name)
def test_a_loop_computes_what_the_expression_does(operation: Operation) -> None:
    assert operation.block is not None
    code = operation.block.replace("$k", "3").replace("$v", "v").replace("$o", "o")
    given = arguments(random.Random(7), operation.source, False, (3,), 38)
    values = []
    for text in given:
        scope = {"v": ast.literal_eval(text)}
        exec(code, scope)
        values.append(repr(scope["o"]))
    assert values == _alone(operation, operation.ways[0])


def test_phrases_are_unambiguous() -> None:
    assert len(BY_PHRASE) == sum(len(operation.phrases) for operation in OPERATIONS.values())
    marks = [mark for frame in FRAMES.values() for mark in frame if mark]
    assert not [(phrase, mark) for _, phrase in BY_PHRASE for mark in marks if mark in phrase]


def test_a_statement_parses_back_to_its_problem() -> None:
    rng = random.Random(3)
    for _ in range(200):
        problem = corpus_problem(rng)
        text = stated(problem, rng)
        if text is None:
            continue
        assert SeedProblem.read(text) == problem
        program = answer_key.reference_program(text)
        assert program == text + problem.reference_body()
        scope: dict[str, object] = {}
        exec(program, scope)
        calls = answer_key.hidden_inputs(text, 5, seed=1)
        assert calls == answer_key.hidden_inputs(text, 5, seed=1)
        assert calls is not None
        assert len(set(calls)) == 5
        answer = solver(problem)
        assert [repr(eval(call, scope)) for call in calls] == [
            repr(answer(call[len(problem.name) + 1 : -1])) for call in calls
        ]


@pytest.mark.parametrize(
    "junk",
    [
        "",
        "def f(:",
        'def f(xs: list[int]) -> int:\n    """Dance, then sing.\n    """\n',
        'def f(xs: list[int]) -> str:\n    """Compute the sum.\n    """\n',
        'def f(xs: list[int], k: int) -> int:\n    """Compute the sum.\n    """\n',
        'def f(xs: list[int]) -> list[int]:\n    """Keep the numbers greater than k.\n    """\n',
    ],
    ids=["empty", "broken", "unknown step", "wrong result type", "unused number", "missing number"],
)
def test_junk_has_no_reference(junk: str) -> None:
    assert answer_key.reference_program(junk) is SeedProblem.read(junk) is None
    assert answer_key.hidden_inputs(junk, 3, seed=0) is None


def test_every_domain_reaches_every_difficulty() -> None:
    rng = random.Random(5)
    for domain in DOMAINS:
        for difficulty in range(1, 6):
            problem = invent(rng, domain, difficulty)
            assert (problem.domain, problem.difficulty) == (domain, difficulty)


def test_an_input_list_has_edge_cases() -> None:
    rng = random.Random(1)
    for source, empty in (("list[int]", "[]"), ("str", "''"), ("list[str]", "[]")):
        assert empty in arguments(rng, source, False, (), 60)
    problem = SeedProblem("algorithms", "f", "xs", (SeedStep(OPERATIONS["above"], 0, "4"),))
    assert sum("4" in text for text in problem.inputs(rng, 40)) > 10
