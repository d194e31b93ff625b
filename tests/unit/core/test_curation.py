"""Curation rule by rule: the rows that stay, and the reasons of the others."""

from collections.abc import Sequence
from typing import Any

import pytest

from ucoder.core.curation import CandidateRows, CurationRules, curate, row_identity
from ucoder.core.program_quality import documentation, maintainability

PLAIN = "def f(x):\n    return x + 1\n"
DOCUMENTED = 'def f(x):\n    """One more."""\n    # counts on\n    return x + 1\n'
TANGLED = "def f(x):\n" + "".join(
    f"    if x % {n} == {n - 1} and x > {n} or x < -{n}:\n        x += {n}\n" for n in range(2, 40)
)


def offer(number: int = 0, program: str = PLAIN, **other: Any) -> dict[str, Any]:
    values = {
        "problem": f"p{number}",
        "solution": "    return x + 1\n",
        "domain": "a",
        "confidence": 0.8,
        "margin": 0.5,
    }
    return {**values, "program": program, **other}


def decide(offers: list[dict[str, Any]], rules: CurationRules, known: Sequence[int] = ()) -> list[str]:
    rows = CandidateRows()
    for one in offers:
        rows.add(**one)
    return curate(rows, rules, known)


@pytest.mark.parametrize(
    ("rules", "other", "reason"),
    [
        (CurationRules(), {"confidence": 0.0, "margin": -0.3, "solution": ""}, ""),
        (CurationRules(min_confidence=0.8), {}, ""),
        (CurationRules(min_confidence=0.81), {}, "low_confidence"),
        (CurationRules(min_margin=0.6), {}, "low_margin"),
        (CurationRules(min_lines=2), {}, "too_short"),
        (CurationRules(max_lines=1), {"solution": "    y = x\n\n    return y\n"}, "too_long"),
        (CurationRules(max_lines=2), {"solution": "    y = x\n\n    return y\n"}, ""),
        (CurationRules(min_quality=0.75), {}, ""),
        (CurationRules(min_quality=0.75, documentation=1.0), {}, "low_quality"),
        (CurationRules(min_quality=0.75, documentation=1.0), {"program": DOCUMENTED}, ""),
        (CurationRules(min_quality=0.7, maintainability=2.0), {"program": TANGLED}, "low_quality"),
    ],
)
def test_a_row_by_itself(rules: CurationRules, other: dict[str, object], reason: str) -> None:
    assert decide([offer(**other)], rules) == [reason]


def test_of_equal_rows_the_better_stays_and_known_ones_go() -> None:
    rows = [offer(1), offer(1, PLAIN + "# again\n", confidence=0.9), offer(1, PLAIN.replace("1", "2")), offer(2)]
    rules = CurationRules(deduplicate=True)
    assert decide(rows, rules) == ["duplicate", "", "", ""]
    assert decide(rows, rules, [row_identity("P2!", PLAIN)]) == ["duplicate", "", "", "duplicate"]
    assert decide(rows, CurationRules()) == [""] * 4


def test_the_worst_rows_above_the_share_of_a_domain_are_left_out() -> None:
    rows = [offer(n, domain="a", confidence=0.5 + n / 100) for n in range(8)] + [
        offer(n + 8, domain="b") for n in range(2)
    ]
    assert decide(rows, CurationRules(domain_share=0.5)) == ["over_domain_share"] * 3 + [""] * 7
    assert decide(rows[:1], CurationRules(domain_share=0.01)) == [""]
    assert decide([], CurationRules(domain_share=0.5)) == []


def test_a_row_that_another_rule_left_out_does_not_count_in_the_share() -> None:
    rows = [offer(n, confidence=0.2 if n < 6 else 0.9) for n in range(8)]
    rules = CurationRules(min_confidence=0.5, domain_share=0.5)
    assert decide(rows, rules) == ["low_confidence"] * 6 + ["", "over_domain_share"]


def test_maintainability_by_hand() -> None:
    # def f ( x ) : return x + 1: 10 tokens, 9 distinct; G = 1; 2 lines
    by_hand = (171 - 5.2 * 3.4567 - 0.23 - 16.2 * 0.6931) / 171
    assert maintainability(PLAIN) == maintainability(DOCUMENTED) == pytest.approx(by_hand, abs=1e-4)
    assert maintainability(TANGLED) < 0.5
    assert maintainability("def (") == 0.0


def test_documentation_is_docstrings_and_comments() -> None:
    assert documentation(DOCUMENTED) == 1.0
    assert documentation(PLAIN) == 0.0
    assert documentation("x = 1\n" * 9 + "# one in ten\n") == pytest.approx(0.5 * 0.1 / 0.19)
    assert documentation("text = '# no comment'\n") == 0.0
    assert documentation("def (") == 0.0
