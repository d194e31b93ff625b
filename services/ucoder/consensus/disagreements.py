"""Finds the inputs on which the leading clusters differ, and the answer of each cluster there."""

import ast
import itertools
from collections.abc import Sequence

from ucoder.core.extraction import parse
from ucoder.core.selection import Selection
from ucoder.v1 import artifacts_pb2 as pb

SHOWN = 5
"""The most disagreements, and the most clusters that are compared in them."""
LONGEST = 500
"""The most characters of a shown answer."""


def disagreements(selection: Selection, rows: Sequence[pb.Row], tests: Sequence[pb.TestCase]) -> list[pb.Disagreement]:
    """Returns a few inputs that distinguish as many pairs of leading clusters as possible, pairs with the winner first.

    `rows` are indexed by position. The choice is greedy: each input distinguishes the most pairs that no input before
    it does; among equal ones the shortest is taken.
    """
    leading = [[rows[member] for member in cluster.members] for cluster in selection.clusters[:SHOWN]]
    columns: dict[str, list[int]] = {}
    for column, test in enumerate(tests):
        columns.setdefault(input_of(test), []).append(column)
    answers = {text: [_answer(members, same[0]) for members in leading] for text, same in columns.items()}
    pairs = {text: _differing_pairs(given) for text, given in answers.items() if len(set(given)) > 1}
    found: list[pb.Disagreement] = []
    distinguished: set[tuple[int, int]] = set()
    while pairs and len(found) < SHOWN:
        text = min(pairs, key=lambda one: (-_weight(pairs[one] - distinguished), len(one), one))
        distinguished |= pairs.pop(text)
        claims = [tests[column].code for column in columns[text] if tests[column].code != text]
        found.append(pb.Disagreement(input=text, outputs=map(_shorten, answers[text]), tests=claims[:SHOWN]))
    return found


def input_of(test: pb.TestCase) -> str:
    """Returns the input of a test without its expectation: `f(1)` for `assert f(1) == 2`."""
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
    """Returns a cluster's answer on one test: that of its first member without an infrastructure error."""
    executed = (row for row in members if row.outcomes[column] != pb.OUTCOME_INFRA_ERROR)
    row = next(executed, members[0])
    output = row.outputs[column] if row.outputs else ""
    return output or pb.Outcome.Name(row.outcomes[column]).removeprefix("OUTCOME_").lower()


def _differing_pairs(answers: Sequence[str]) -> set[tuple[int, int]]:
    pairs = itertools.combinations(range(len(answers)), 2)
    return {(one, other) for one, other in pairs if answers[one] != answers[other]}


def _weight(pairs: set[tuple[int, int]]) -> int:
    """Returns the weight of the pairs. One pair with the winner weighs more than all others together."""
    return sum(SHOWN * SHOWN if one == 0 else 1 for one, _ in pairs)


def _shorten(answer: str) -> str:
    return answer if len(answer) <= LONGEST else f"{answer[:LONGEST]}... ({len(answer)} characters)"
