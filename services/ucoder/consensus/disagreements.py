"""The inputs that tell the leading clusters apart, and what each of them answers there."""

import ast
import itertools
from collections.abc import Sequence

from ucoder.core.extraction import parse
from ucoder.core.selection import Selection
from ucoder.v1 import artifacts_pb2 as pb

SHOWN = 5  # disagreements, and clusters compared in them
LONGEST = 500  # characters of a shown answer


def disagreements(selection: Selection, rows: Sequence[pb.Row], tests: Sequence[pb.TestCase]) -> list[pb.Disagreement]:
    """Few inputs that tell many pairs of leading clusters apart, those about the winner first; `rows` by position.

    Greedy: each next input separates the most pairs that none before it did; the shortest one where several do.
    """
    speakers = [[rows[member] for member in cluster.members] for cluster in selection.clusters[:SHOWN]]
    columns: dict[str, list[int]] = {}
    for column, test in enumerate(tests):
        columns.setdefault(question(test), []).append(column)
    asked = {text: [_answer(some, members[0]) for some in speakers] for text, members in columns.items()}
    split = {text: _separated(answers) for text, answers in asked.items() if len(set(answers)) > 1}
    found: list[pb.Disagreement] = []
    told: set[tuple[int, int]] = set()
    while split and len(found) < SHOWN:
        text = min(split, key=lambda one: (-_worth(split[one] - told), len(one), one))
        told |= split.pop(text)
        claims = [tests[column].code for column in columns[text] if tests[column].code != text]
        found.append(pb.Disagreement(input=text, outputs=map(_clip, asked[text]), tests=claims[:SHOWN]))
    return found


def question(test: pb.TestCase) -> str:
    """What a test asks, without what it expects: `f(1)` of `assert f(1) == 2`."""
    if test.HasField("stdin"):
        return test.stdin
    tree = parse(test.code)
    statement = tree.body[0] if tree and len(tree.body) == 1 else None
    if not isinstance(statement, ast.Assert):
        return test.code
    claim = statement.test
    if isinstance(claim, ast.UnaryOp) and isinstance(claim.op, ast.Not):
        claim = claim.operand
    if isinstance(claim, ast.Compare):
        sides = claim.left, claim.comparators[0]
        claim = next((side for side in sides if isinstance(side, ast.Call)), claim.left)
    return ast.unparse(claim) if isinstance(claim, ast.Call) else test.code


def _answer(members: Sequence[pb.Row], column: int) -> str:
    """What a cluster answers: its first member whom we did not fail."""
    known = (row for row in members if row.outcomes[column] != pb.OUTCOME_INFRA_ERROR)
    row = next(known, members[0])
    output = row.outputs[column] if row.outputs else ""
    return output or pb.Outcome.Name(row.outcomes[column]).removeprefix("OUTCOME_").lower()


def _separated(answers: Sequence[str]) -> set[tuple[int, int]]:
    pairs = itertools.combinations(range(len(answers)), 2)
    return {(one, other) for one, other in pairs if answers[one] != answers[other]}


def _worth(pairs: set[tuple[int, int]]) -> int:
    """Pairs with the winner count for all the others together."""
    return sum(SHOWN * SHOWN if one == 0 else 1 for one, _ in pairs)


def _clip(answer: str) -> str:
    return answer if len(answer) <= LONGEST else f"{answer[:LONGEST]}... ({len(answer)} characters)"
