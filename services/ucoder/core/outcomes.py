"""The outcomes of one program on one test. A program that fails is data: this package raises no error for it."""

from enum import StrEnum


class Outcome(StrEnum):
    """The outcome in one cell of the matrix. `INFRA_ERROR` is our own failure: it is retried and never voted."""

    PASSED = "passed"
    FAILED = "failed"
    EXCEPTION = "exception"
    TIMEOUT_CPU = "timeout_cpu"
    TIMEOUT_WALL = "timeout_wall"
    OUT_OF_MEMORY = "out_of_memory"
    OUTPUT_LIMIT = "output_limit"
    PROCESS_LIMIT = "process_limit"
    CRASHED = "crashed"
    NONDETERMINISTIC = "nondeterministic"
    UNSUPPORTED = "unsupported"
    UNCONFIRMED = "unconfirmed"
    """The test passed beside the program, but the program may have forged that, and nobody outside could confirm it."""
    INFRA_ERROR = "infra_error"
    RETURNED = "returned"
    """The call returned normally, and the test states no expected value."""
