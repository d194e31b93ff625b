"""The reasons for which a stage refuses an invented problem, or drops a brief before its programs are compared.

Two more reasons come from runtime/messaging: `over_<limit>` (`ledger`) and `dead_letter` (`arrow_worker`).
"""

from enum import StrEnum


class DropReason(StrEnum):
    """A reason as it is stored, counted and reported."""

    TOO_LONG = "too_long"
    """The statement is longer than problems are."""
    NO_FUNCTION = "no_function"
    NO_DOCSTRING = "no_docstring"
    NO_PARAMETERS = "no_parameters"
    UNTYPED = "untyped"
    """A parameter or the result has no annotation."""
    UNKNOWN_TYPE = "unknown_type"
    """An annotation names a type that is imported nowhere."""
    EXAMPLE_MISFIT = "example_misfit"
    """The example passes other arguments than the signature takes."""
    NO_EXAMPLE = "no_example"
    NO_STATEMENT = "no_statement"
    """Fewer than ten words stand before the first example of a script."""
    NO_FORMAT = "no_format"
    """The statement of a script does not mention its input or its output."""
    CONTAMINATED = "contaminated"
    """The problem repeats a task of a benchmark."""
    DUPLICATE = "duplicate"
    """The run has a problem with the same words."""
    NEAR_DUPLICATE = "near_duplicate"
    """The run has a problem with similar words."""
    SKELETON_FAILS = "skeleton_fails"
    """A call of the function without a body does not return."""
    TOO_FEW_TESTS = "too_few_tests"
    """The model wrote too few tests that can be read."""


ALREADY_POSED = frozenset({DropReason.DUPLICATE, DropReason.NEAR_DUPLICATE})
"""The reasons with which a problem is refused because its run has posed it already."""
