"""Guards the dashboard: asks browsers for a token where tokens are set, and adds security headers to each answer."""

import base64
import binascii
from collections.abc import Awaitable, Callable

from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ucoder.runtime.authentication import CALLER, CallerTokens

HEADERS = {
    "content-security-policy": "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; "
    "img-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cache-control": "no-store",
}


class BrowserAccess:
    """The middleware that lets in callers with a known token, sent as a bearer token or as a basic password.

    A browser asks its user for a name and a password; any name will do.
    """

    def __init__(self, app: ASGIApp, tokens: CallerTokens) -> None:
        self._app, self._tokens = app, tokens

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        caller = self._tokens.caller(_token_in(dict(scope["headers"]).get(b"authorization", b"")))
        if caller is None:
            ask = {"www-authenticate": 'Basic realm="ucoder: any user name, and your token as the password"'}
            answer = PlainTextResponse("Give a token of the tokens file, as the password of any user name.", 401, ask)
            await answer(scope, receive, _with_headers(send))
            return
        CALLER.set(caller)
        await self._app(scope, receive, _with_headers(send))


def _with_headers(send: Send) -> Callable[[Message], Awaitable[None]]:
    async def send_with_headers(message: Message) -> None:
        if message["type"] == "http.response.start":
            extra = [(name.encode(), value.encode()) for name, value in HEADERS.items()]
            message = {**message, "headers": [*message.get("headers", []), *extra]}
        await send(message)

    return send_with_headers


def _token_in(header: bytes) -> str:
    """Returns the token of a `Bearer TOKEN` header, or the password of a `Basic` one; empty when it has none."""
    kind, _, rest = header.decode("latin-1").partition(" ")
    if kind.lower() != "basic":
        return rest
    try:
        return base64.b64decode(rest, validate=True).decode().partition(":")[2]
    except (binascii.Error, UnicodeDecodeError):
        return ""
