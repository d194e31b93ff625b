"""Which selected rows are sealed: filters, then duplicates, then a limit for each domain. Every loss has a reason."""

import math
from collections.abc import Sequence, Set
from dataclasses import dataclass, field

from ucoder.core.extraction import normal_form
from ucoder.core.program_quality import documentation, maintainability
from ucoder.core.validation_split import words_of


@dataclass(frozen=True, slots=True)
class CurationRules:
    """What a row must be; zeros ask for nothing. `Quality` weighs maintainability and documentation so much."""

    deduplicate: bool = False
    domain_share: float = 0.0
    min_confidence: float = 0.0
    min_margin: float = 0.0
    min_lines: int = 0
    max_lines: int = 0
    maintainability: float = 0.0
    documentation: float = 0.0
    min_quality: float = 0.0


@dataclass(frozen=True)
class CandidateRow:
    """A row to be judged: what the model wrote after the problem, the whole program, and how sure its selection is."""

    problem: str
    solution: str
    program: str
    domain: str
    confidence: float
    margin: float
    maintainability: float = field(init=False)
    documentation: float = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "maintainability", maintainability(self.program))
        object.__setattr__(self, "documentation", documentation(self.program))

    def quality(self, rules: CurationRules) -> float:
        """Weighted mean of confidence (weight 1), maintainability and documentation, 0 to 1."""
        weighed = self.confidence
        weighed += rules.maintainability * self.maintainability + rules.documentation * self.documentation
        return weighed / (1 + rules.maintainability + rules.documentation)


def row_identity(problem: str, program: str) -> tuple[str, str]:
    """What two rows share that say the same: the problem's words, the program without comments and layout."""
    return words_of(problem), normal_form(program)


def curate(
    offers: Sequence[CandidateRow], rules: CurationRules, known: Set[tuple[str, str]] = frozenset()
) -> list[str]:
    """(n,) why each row is left out; empty for those that stay. `known`: identities in earlier datasets.

    low_confidence, low_margin, too_short, too_long, low_quality, duplicate, over_domain_share. Where rows compete, the
    one of higher quality stays, of equal ones the first.
    """
    reasons = [_flaw(one, rules) for one in offers]
    best_first = sorted(range(len(offers)), key=lambda at: -offers[at].quality(rules))
    if rules.deduplicate:
        seen = set(known)
        for at in (at for at in best_first if not reasons[at]):
            found = row_identity(offers[at].problem, offers[at].program)
            reasons[at] = "duplicate" if found in seen else ""
            seen.add(found)
    if rules.domain_share:
        most = math.ceil(rules.domain_share * reasons.count(""))
        held: dict[str, int] = {}
        for at in (at for at in best_first if not reasons[at]):
            domain = offers[at].domain
            held[domain] = held.get(domain, 0) + 1
            reasons[at] = "over_domain_share" if held[domain] > most else ""
    return reasons


def _flaw(one: CandidateRow, rules: CurationRules) -> str:
    """What is wrong with a row by itself."""
    lines = sum(bool(line.strip()) for line in one.solution.splitlines())
    flaws = {
        "low_confidence": one.confidence < rules.min_confidence,
        "low_margin": rules.min_margin > 0 and one.margin < rules.min_margin,  # a margin can be negative
        "too_short": lines < rules.min_lines,
        "too_long": 0 < rules.max_lines < lines,
        "low_quality": one.quality(rules) < rules.min_quality,
    }
    return next((name for name, found in flaws.items() if found), "")
