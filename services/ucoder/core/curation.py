"""Curation: decides which selected rows a dataset keeps, by filters, duplicates, and a limit for each domain."""

import hashlib
import math
from array import array
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from ucoder.core.extraction import normal_form
from ucoder.core.matrix import Floats
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


class CandidateRows:
    """The rows to be judged, as columns: a million rows take some 50 MB, because their texts are not kept."""

    def __init__(self) -> None:
        self.confidence, self.margin, self.maintainability, self.documentation = (array("d") for _ in range(4))
        self.lines, self.domain, self.identity = array("L"), array("L"), array("Q")
        self.domains: dict[str, int] = {}

    def add(self, *, problem: str, solution: str, program: str, domain: str, confidence: float, margin: float) -> None:
        """Adds a row: the problem, the model's continuation, the whole program, and its selection's confidence."""
        self.confidence.append(confidence)
        self.margin.append(margin)
        self.maintainability.append(maintainability(program))
        self.documentation.append(documentation(program))
        self.lines.append(sum(bool(line.strip()) for line in solution.splitlines()))
        self.domain.append(self.domains.setdefault(domain, len(self.domains)))
        self.identity.append(row_identity(problem, program))

    def __len__(self) -> int:
        return len(self.lines)

    def quality(self, rules: CurationRules) -> Floats:
        """Returns (n,) the weighted means of confidence (weight 1), maintainability and documentation, 0 to 1."""
        weighted = np.array(self.confidence)
        weighted += rules.maintainability * np.array(self.maintainability)
        weighted += rules.documentation * np.array(self.documentation)
        return np.asarray(weighted / (1 + rules.maintainability + rules.documentation))


def row_identity(problem: str, program: str) -> int:
    """Returns what duplicate rows share: a hash of the problem's words and of the program without comments and layout.

    It has 64 bits. Among a million rows, the chance that two different ones share it is one in forty million.
    """
    text = f"{words_of(problem)}\0{normal_form(program)}"
    return int.from_bytes(hashlib.blake2b(text.encode(errors="surrogatepass"), digest_size=8).digest())


def curate(rows: CandidateRows, rules: CurationRules, known: Sequence[int] = ()) -> list[str]:
    """Returns (n,) a `LeftOutReason` for each row that is left out, and the empty text for the others.

    known: identities of the rows in earlier datasets. Where rows compete, the one of higher quality stays, and of equal
    ones the first.
    """
    quality, margin, lines = rows.quality(rules), np.array(rows.margin), np.array(rows.lines)
    broken = {
        LeftOutReason.LOW_CONFIDENCE: np.array(rows.confidence) < rules.min_confidence,
        LeftOutReason.LOW_MARGIN: (margin < rules.min_margin) & (rules.min_margin > 0),  # a margin can be negative
        LeftOutReason.TOO_SHORT: lines < rules.min_lines,
        LeftOutReason.TOO_LONG: (lines > rules.max_lines) & (rules.max_lines > 0),
        LeftOutReason.LOW_QUALITY: quality < rules.min_quality,
    }
    reasons = np.full(len(rows), "", dtype=object)
    for reason, applies in broken.items():
        reasons[applies & (reasons == "")] = str(reason)
    best_first = np.argsort(-quality, kind="stable")
    if rules.deduplicate:
        left = best_first[reasons[best_first] == ""]
        identities = np.array(rows.identity, dtype=np.uint64)[left]
        first = np.zeros(len(left), dtype=bool)
        first[np.unique(identities, return_index=True)[1]] = True
        seen = ~first | np.isin(identities, np.array(known, dtype=np.uint64))
        reasons[left[seen]] = str(LeftOutReason.DUPLICATE)
    if rules.domain_share:
        left = best_first[reasons[best_first] == ""]
        most = math.ceil(rules.domain_share * len(left))
        for domain in range(len(rows.domains)):
            of_domain = left[np.array(rows.domain)[left] == domain]
            reasons[of_domain[most:]] = str(LeftOutReason.OVER_DOMAIN_SHARE)
    return list(reasons)
