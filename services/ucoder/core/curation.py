"""Curation: decides which selected rows a dataset keeps, by filters, duplicates, and a limit for each domain."""

import math
from collections.abc import Sequence, Set
from dataclasses import dataclass, field
from enum import StrEnum

from ucoder.core.extraction import normal_form
from ucoder.core.program_quality import documentation, maintainability
from ucoder.core.validation_split import words_of


class LeftOutReason(StrEnum):
    """The reasons for which a row is left out."""

    LOW_CONFIDENCE = "low_confidence"
    LOW_MARGIN = "low_margin"
    TOO_SHORT = "too_short"
    TOO_LONG = "too_long"
    LOW_QUALITY = "low_quality"
    DUPLICATE = "duplicate"
    OVER_DOMAIN_SHARE = "over_domain_share"


@dataclass(frozen=True, slots=True)
class CurationRules:
    """The limits for rows. Zero sets no limit."""

    deduplicate: bool = False
    domain_share: float = 0.0
    min_confidence: float = 0.0
    min_margin: float = 0.0
    min_lines: int = 0
    max_lines: int = 0
    maintainability: float = 0.0
    """Weight of maintainability in a row's quality. Confidence has weight 1."""
    documentation: float = 0.0
    """Weight of documentation in a row's quality."""
    min_quality: float = 0.0


@dataclass(frozen=True)
class CandidateRow:
    """A row to be judged: the problem, the model's continuation, the whole program, and its selection's confidence."""

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
        """Returns the weighted mean of confidence (weight 1), maintainability and documentation, 0 to 1."""
        weighted = self.confidence
        weighted += rules.maintainability * self.maintainability + rules.documentation * self.documentation
        return weighted / (1 + rules.maintainability + rules.documentation)


def row_identity(problem: str, program: str) -> tuple[str, str]:
    """Returns what duplicate rows share: the problem's words, and the program without comments and layout."""
    return words_of(problem), normal_form(program)


def curate(rows: Sequence[CandidateRow], rules: CurationRules, known: Set[tuple[str, str]] = frozenset()) -> list[str]:
    """Returns (n,) a `LeftOutReason` for each row that is left out, and the empty text for the others.

    known: identities of the rows in earlier datasets. Where rows compete, the one of higher quality stays, and of equal
    ones the first.
    """
    reasons: list[str] = [_reason_of_row(row, rules) for row in rows]
    best_first = sorted(range(len(rows)), key=lambda i: -rows[i].quality(rules))
    if rules.deduplicate:
        seen = set(known)
        for i in (i for i in best_first if not reasons[i]):
            identity = row_identity(rows[i].problem, rows[i].program)
            reasons[i] = LeftOutReason.DUPLICATE if identity in seen else ""
            seen.add(identity)
    if rules.domain_share:
        most = math.ceil(rules.domain_share * reasons.count(""))
        kept: dict[str, int] = {}
        for i in (i for i in best_first if not reasons[i]):
            domain = rows[i].domain
            kept[domain] = kept.get(domain, 0) + 1
            reasons[i] = LeftOutReason.OVER_DOMAIN_SHARE if kept[domain] > most else ""
    return reasons


def _reason_of_row(row: CandidateRow, rules: CurationRules) -> str:
    """Returns the reason to leave a row out that does not depend on other rows, or the empty text."""
    lines = sum(bool(line.strip()) for line in row.solution.splitlines())
    broken = {
        LeftOutReason.LOW_CONFIDENCE: row.confidence < rules.min_confidence,
        LeftOutReason.LOW_MARGIN: rules.min_margin > 0 and row.margin < rules.min_margin,  # a margin can be negative
        LeftOutReason.TOO_SHORT: lines < rules.min_lines,
        LeftOutReason.TOO_LONG: 0 < rules.max_lines < lines,
        LeftOutReason.LOW_QUALITY: row.quality(rules) < rules.min_quality,
    }
    return next((reason for reason, applies in broken.items() if applies), "")
