"""Errors as HTTP answers: the status of each kind of error, and problem+json with the words that gRPC has."""

import re
from collections.abc import Mapping
from typing import Any

from starlette.responses import JSONResponse, Response

from ucoder.errors import Conflict, Misconfigured, NoInputs, NotFound, Overloaded, Reject, Retry, UcoderError
from ucoder.gateway.request_checks import BodyTooLarge, Bug, NoToken

STATUSES: tuple[tuple[type[UcoderError], int], ...] = (
    (NoToken, 401),
    (BodyTooLarge, 413),
    (NotFound, 404),
    (NoInputs, 422),
    (Misconfigured, 500),
    (Conflict, 409),
    (Reject, 400),
    (Overloaded, 429),
    (Retry, 503),
    (Bug, 500),
)
"""The first kind that an error is an instance of gives its status."""
TITLES = {
    400: "Wrong request",
    401: "No known token",
    404: "Not found",
    409: "Conflict",
    413: "Too large",
    422: "No inputs",
    429: "Too many requests",
    500: "Internal error",
    503: "Not available now",
}


def status_of(error: UcoderError) -> int:
    """Returns the HTTP status of an error."""
    return next((status for kind, status in STATUSES if isinstance(error, kind)), 500)


def retry_after(error: UcoderError) -> Mapping[str, str]:
    """Returns the header that says when to try again; none where another try would not help."""
    if not isinstance(error, Retry):
        return {}
    named = re.search(r"retry in (\d+) s", str(error))
    return {"retry-after": named[1] if named else "1"}


def problem(error: UcoderError) -> dict[str, Any]:
    """Returns the body of a problem (RFC 9457)."""
    status = status_of(error)
    return {
        "type": "about:blank",
        "title": TITLES[status],
        "status": status,
        "detail": str(error),
        "code": error.status,
    }


def problem_response(error: UcoderError) -> Response:
    """Returns an error as problem+json."""
    status = status_of(error)
    headers = {**retry_after(error), **({"www-authenticate": "Bearer"} if status == 401 else {})}
    return JSONResponse(problem(error), status, headers, media_type="application/problem+json")
