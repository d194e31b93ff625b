"""The validation split: a problem's words alone decide whether it is trained on or kept for validation."""

import hashlib
import re

TRAIN, VALIDATION = "train", "validation"


def split_of(problem: str, share: float) -> str:
    """Returns the side of a problem, `TRAIN` or `VALIDATION`, when `share` of all problems (0 to 1) is for validation.

    A hash of its words decides. So a problem stays on its side in every iteration, in a pool of iterations, and beside
    any other problems. A larger share only adds to the validation side.
    """
    digest = hashlib.sha256(words_of(problem).encode("utf-8", "surrogatepass")).digest()
    return VALIDATION if int.from_bytes(digest[:8]) / 2**64 < share else TRAIN


def words_of(problem: str) -> str:
    """Returns a problem's words: equal for texts that differ only in case, layout and punctuation."""
    return " ".join(re.findall(r"\w+", problem.lower()))
