"""The expected errors, with the consequence of each on the bus and in gRPC. Any other exception is a bug.

UcoderError            Expected: its text is one line for a person, with what happened and what to do.
├── Retry              Transient failure: the message is retried, with back-off and a limit.   gRPC: UNAVAILABLE
│   └── Overloaded     Too much work at once: the message is retried.                          gRPC: RESOURCE_EXHAUSTED
└── Reject             Permanent failure: the message goes to the dead letters.                gRPC: INVALID_ARGUMENT
    ├── NotFound       The named thing does not exist.                                         gRPC: NOT_FOUND
    ├── NoInputs       No tests are given, and no inputs can be synthesised.                   gRPC: INVALID_ARGUMENT
    ├── Conflict       The request contradicts what exists.                                    gRPC: FAILED_PRECONDITION
    │   └── Unwanted   The run has ended meanwhile: the message is acknowledged.               gRPC: FAILED_PRECONDITION
    └── Misconfigured  A flag, file or variable is wrong: the program ends with code 2.        gRPC: FAILED_PRECONDITION

Any other exception is logged with its traceback; its message is retried a few times and then goes to the dead letters.
"""

from typing import TYPE_CHECKING, Any, ClassVar

if TYPE_CHECKING:
    import grpc


class UcoderError(Exception):
    """Any expected failure. `str(error)` is the one line that a person sees."""

    status: ClassVar[str] = "UNKNOWN"
    """Name of the gRPC status code of an answer with this error."""
    metadata: ClassVar[tuple[tuple[str, str], ...]] = ()
    """Trailing metadata of such an answer, where the status code alone does not identify the error."""


class Retry(UcoderError):
    """Transient failure, such as a server that is down or a full disk: the same message may succeed later."""

    status = "UNAVAILABLE"


class Overloaded(Retry):
    """More work was sent than can be queued: the caller should slow down and retry."""

    status = "RESOURCE_EXHAUSTED"


class Reject(UcoderError):
    """Permanent failure: no number of attempts makes this message succeed."""

    status = "INVALID_ARGUMENT"


class NotFound(Reject):
    """A run, an artefact, a checkpoint or another named thing does not exist."""

    status = "NOT_FOUND"


class NoInputs(Reject):
    """The request has no tests, and no inputs can be synthesised for its programs."""

    metadata = (("ucoder-error", "NoInputs"),)


class TooFewTests(Reject):
    """The model wrote too few tests that can be read."""

    metadata = (("ucoder-error", "TooFewTests"),)


class Conflict(Reject):
    """The request contradicts what exists, such as a run that was started with another configuration."""

    status = "FAILED_PRECONDITION"


class Unwanted(Conflict):
    """The run was cancelled, or failed, while its message was being worked on."""


class Misconfigured(Reject):
    """A flag, a file or an environment variable is wrong: the program names it and ends with code 2."""

    status = "FAILED_PRECONDITION"


ERROR_OF_STATUS: dict[str, type[UcoderError]] = {
    "INVALID_ARGUMENT": Reject,
    "UNIMPLEMENTED": Reject,
    "OUT_OF_RANGE": Reject,
    "NOT_FOUND": NotFound,
    "FAILED_PRECONDITION": Conflict,
    "UNAUTHENTICATED": Misconfigured,
    "PERMISSION_DENIED": Misconfigured,
    "RESOURCE_EXHAUSTED": Overloaded,
}


def of_call(error: "grpc.RpcError") -> UcoderError:
    """Returns the error that another service answered with; an unknown status may be transient: Retry."""
    status = error.code().name
    metadata: Any = error.trailing_metadata() or ()
    kind = next(
        (kind for kind in (NoInputs, TooFewTests) if kind.metadata[0] in map(tuple, metadata)),
        ERROR_OF_STATUS.get(status, Retry),
    )
    return kind(error.details() or status)
