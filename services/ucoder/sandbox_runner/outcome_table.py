"""The one table from the statuses of a cell to outcomes, and the statuses that each kind of test may have."""

from ucoder.core.outcomes import Outcome
from ucoder.sandbox_runner.guest import cell_protocol as protocol

OUTCOME_OF: dict[str, Outcome] = {
    protocol.OK: Outcome.RETURNED,  # or what the comparison with an expected value says
    protocol.LIKE: Outcome.RETURNED,  # likewise
    protocol.STDOUT: Outcome.RETURNED,  # likewise
    protocol.ENDED: Outcome.EXCEPTION,  # or likewise, where the rule of the comparison ignores exit statuses
    protocol.EXCEPTION: Outcome.EXCEPTION,
    protocol.TIMEOUT_CPU: Outcome.TIMEOUT_CPU,
    protocol.ABANDONED: Outcome.TIMEOUT_CPU,
    protocol.OUT_OF_MEMORY: Outcome.OUT_OF_MEMORY,
    protocol.OUTPUT_LIMIT: Outcome.OUTPUT_LIMIT,
    protocol.PROCESS_LIMIT: Outcome.PROCESS_LIMIT,
    protocol.PASSED: Outcome.PASSED,
    protocol.FAILED: Outcome.FAILED,
    protocol.REFUSED: Outcome.UNSUPPORTED,
    protocol.UNSUPPORTED: Outcome.UNSUPPORTED,
    protocol.STOPPED: Outcome.UNSUPPORTED,
    protocol.NEEDS_STEPS: Outcome.UNSUPPORTED,  # if it is still so after the last round
    # Only the host says the following, by the outcome's own name: no guest sees how it ends.
    Outcome.TIMEOUT_WALL: Outcome.TIMEOUT_WALL,
    Outcome.CRASHED: Outcome.CRASHED,
    Outcome.NONDETERMINISTIC: Outcome.NONDETERMINISTIC,
    Outcome.UNCONFIRMED: Outcome.UNCONFIRMED,
    Outcome.INFRA_ERROR: Outcome.INFRA_ERROR,
}

_FAILURES = frozenset({
    protocol.EXCEPTION, protocol.TIMEOUT_CPU, protocol.ABANDONED, protocol.OUT_OF_MEMORY, protocol.OUTPUT_LIMIT,
    protocol.PROCESS_LIMIT,
})  # fmt: skip
ALLOWED_STATUSES: dict[str, frozenset[str]] = {
    protocol.CALL: _FAILURES | {protocol.OK, protocol.LIKE},
    protocol.STEPS: _FAILURES | {protocol.OK, protocol.REFUSED},
    protocol.SCRIPT: _FAILURES | {protocol.STDOUT, protocol.ENDED},
    protocol.PLAIN: _FAILURES | {protocol.PASSED, protocol.FAILED, protocol.UNSUPPORTED},
    protocol.JUDGE: _FAILURES
    | {protocol.PASSED, protocol.FAILED, protocol.UNSUPPORTED, protocol.STOPPED, protocol.NEEDS_STEPS},
}
"""By kind of test, the statuses that the host accepts from a guest. A judge never meets a program. Of a test beside its
program only a failure is believed at once; `judging/confirmation` says when a pass is.
"""
