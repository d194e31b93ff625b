"""Errors, by whose fault they are. Anything else that escapes a stage is a bug and stays naked.

UcoderError            expected; its text is one line for a person: what is wrong, what to do
├── Retry              the world is unwell   bus: nak with back-off, bounded     gRPC: UNAVAILABLE
│   └── Overloaded     too much at once      bus: nak with back-off              gRPC: RESOURCE_EXHAUSTED
└── Reject             the message is unwell bus: terminate, dead letter         gRPC: INVALID_ARGUMENT
    ├── NotFound       names nothing we have                                     gRPC: NOT_FOUND
    ├── Conflict       contradicts what we have                                  gRPC: FAILED_PRECONDITION
    │   └── Unwanted   its run has ended meanwhile bus: acknowledged             gRPC: FAILED_PRECONDITION
    └── Misconfigured  a flag, file or variable is wrong (the program ends: 2)   gRPC: FAILED_PRECONDITION
"""

from typing import ClassVar

import grpc


class UcoderError(Exception):
    """Any expected failure. `str(error)` is the one line a person sees."""

    status: ClassVar[grpc.StatusCode] = grpc.StatusCode.UNKNOWN


class Retry(UcoderError):
    """The world is unwell (a server is down, a disk is full): the same message may succeed later."""

    status = grpc.StatusCode.UNAVAILABLE


class Overloaded(Retry):
    """There is more work than room for it; the caller should slow down and come again."""

    status = grpc.StatusCode.RESOURCE_EXHAUSTED


class Reject(UcoderError):
    """The message is unwell: no number of attempts will make it succeed."""

    status = grpc.StatusCode.INVALID_ARGUMENT


class NotFound(Reject):
    """A name that names nothing: a run, an artefact, a checkpoint."""

    status = grpc.StatusCode.NOT_FOUND


class Conflict(Reject):
    """The request contradicts what exists already, e.g. a run folder made with another configuration."""

    status = grpc.StatusCode.FAILED_PRECONDITION


class Unwanted(Conflict):
    """The run that it is for was cancelled, or failed, while it was worked on."""


class Misconfigured(Reject):
    """A flag, a file or an environment variable is wrong; the program says which and ends with code 2."""

    status = grpc.StatusCode.FAILED_PRECONDITION


FAULTS: dict[grpc.StatusCode, type[UcoderError]] = {
    grpc.StatusCode.INVALID_ARGUMENT: Reject,
    grpc.StatusCode.UNIMPLEMENTED: Reject,
    grpc.StatusCode.OUT_OF_RANGE: Reject,
    grpc.StatusCode.NOT_FOUND: NotFound,
    grpc.StatusCode.FAILED_PRECONDITION: Conflict,
    grpc.StatusCode.UNAUTHENTICATED: Misconfigured,
    grpc.StatusCode.PERMISSION_DENIED: Misconfigured,
    grpc.StatusCode.RESOURCE_EXHAUSTED: Overloaded,
}


def of_call(error: grpc.aio.AioRpcError) -> UcoderError:
    """What another service's status means here: its refusal is ours, anything else may pass with time."""
    return FAULTS.get(error.code(), Retry)(error.details() or error.code().name)
