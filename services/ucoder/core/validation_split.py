"""Which problems are trained on and which are kept for validation: a matter of the problem alone."""

import hashlib
import re

TRAIN, VALIDATION = "train", "validation"


def split_of(problem: str, share: float) -> str:
    """The side of a problem when `share` of all problems (0 to 1) is kept for validation.

    A hash of its words decides, case, layout and punctuation aside, so a problem stays on its side in every iteration,
    in a pool of them, and beside whatever other problems; a larger share only adds to the validation side.
    """
    digest = hashlib.sha256(words_of(problem).encode("utf-8", "surrogatepass")).digest()
    return VALIDATION if int.from_bytes(digest[:8]) / 2**64 < share else TRAIN


def words_of(problem: str) -> str:
    """A problem's words: equal for texts that differ in case, layout and punctuation alone."""
    return " ".join(re.findall(r"\w+", problem.lower()))
