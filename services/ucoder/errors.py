"""Errors, by whose fault they are. Anything else that escapes a stage is a bug and stays naked.

UcoderError            expected; its text is one line for a person: what is wrong, what to do
├── Retry              the world is unwell   bus: nak with back-off, bounded     gRPC: UNAVAILABLE
│   └── Overloaded     too much at once      bus: nak with back-off              gRPC: RESOURCE_EXHAUSTED
└── Reject             the message is unwell bus: terminate, dead letter         gRPC: INVALID_ARGUMENT
    ├── NotFound       names nothing we have                                     gRPC: NOT_FOUND
    ├── NoInputs       no tests given, and no inputs can be synthesised          gRPC: INVALID_ARGUMENT
    ├── Conflict       contradicts what we have                                  gRPC: FAILED_PRECONDITION
    │   └── Unwanted   its run has ended meanwhile bus: acknowledged             gRPC: FAILED_PRECONDITION
    └── Misconfigured  a flag, file or variable is wrong (the program ends: 2)   gRPC: FAILED_PRECONDITION
"""

from typing import TYPE_CHECKING, Any, ClassVar

if TYPE_CHECKING:
    import grpc


class UcoderError(Exception):
    """Any expected failure. `str(error)` is the one line a person sees."""

    status: ClassVar[str] = "UNKNOWN"
    """Name of the gRPC status code of an answer with this error."""
    metadata: ClassVar[tuple[tuple[str, str], ...]] = ()
    """Trailing metadata of such an answer, where the status code alone does not identify the error."""


class Retry(UcoderError):
    """The world is unwell (a server is down, a disk is full): the same message may succeed later."""

    status = "UNAVAILABLE"


class Overloaded(Retry):
    """There is more work than room for it; the caller should slow down and come again."""

    status = "RESOURCE_EXHAUSTED"


class Reject(UcoderError):
    """The message is unwell: no number of attempts will make it succeed."""

    status = "INVALID_ARGUMENT"


class NotFound(Reject):
    """A name that names nothing: a run, an artefact, a checkpoint."""

    status = "NOT_FOUND"


class NoInputs(Reject):
    """The request has no tests, and no inputs can be synthesised for its programs."""

    metadata = (("ucoder-error", "NoInputs"),)


class Conflict(Reject):
    """The request contradicts what exists already, e.g. a run folder made with another configuration."""

    status = "FAILED_PRECONDITION"


class Unwanted(Conflict):
    """The run that it is for was cancelled, or failed, while it was worked on."""


class Misconfigured(Reject):
    """A flag, a file or an environment variable is wrong; the program says which and ends with code 2."""

    status = "FAILED_PRECONDITION"


FAULTS: dict[str, type[UcoderError]] = {
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
    """Returns the error that another service answered with. A status that is not known may pass with time: Retry."""
    status = error.code().name
    metadata: Any = error.trailing_metadata() or ()
    kind = NoInputs if NoInputs.metadata[0] in map(tuple, metadata) else FAULTS.get(status, Retry)
    return kind(error.details() or status)
