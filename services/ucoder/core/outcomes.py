"""What can become of one program on one test. Outcomes are data: a failing program is never an exception of ours."""

from enum import StrEnum


class Outcome(StrEnum):
    """One cell of the matrix. Only `INFRA_ERROR` says something about us; it is retried and never voted."""

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
    INFRA_ERROR = "infra_error"
    RETURNED = "returned"
    """An input-only call (no expected value) that returned normally."""


TIMEOUTS = frozenset({Outcome.TIMEOUT_CPU, Outcome.TIMEOUT_WALL})
