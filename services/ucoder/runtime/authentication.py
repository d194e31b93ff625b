"""Who is calling: tokens to callers, from a file of `caller:token` lines. gRPC and the dashboard ask the same."""

import hmac
from contextvars import ContextVar
from pathlib import Path

from ucoder.errors import Misconfigured

CALLER: ContextVar[str] = ContextVar("caller", default="")
"""Who is calling, by the tokens file; empty where no token is asked for."""


class CallerTokens:
    """The callers that are known. With no file nobody is asked who he is."""

    def __init__(self, path: Path | None) -> None:
        """Reads the file; Misconfigured naming file and line."""
        self._callers: dict[bytes, str] = {}
        if path is None:
            return
        try:
            lines = path.read_text().splitlines()
        except OSError as error:
            raise Misconfigured(f"UCODER_TOKENS_FILE={path}: {error.strerror}.") from None
        for number, line in enumerate(lines, 1):
            if not line.strip() or line.startswith("#"):
                continue
            caller, colon, token = line.strip().partition(":")
            if not colon or not caller or len(token) < 16:
                raise Misconfigured(f"{path}:{number}: expected caller:token, the token 16 characters or more.")
            self._callers[token.encode()] = caller
        if not self._callers:
            raise Misconfigured(f"UCODER_TOKENS_FILE={path}: holds no token, so nobody could call.")

    def caller(self, offered: str) -> str | None:
        """Who offers this token: the empty name where no token is asked for, None for one that nobody has."""
        if not self._callers:
            return ""
        found = None
        for token, caller in self._callers.items():
            if hmac.compare_digest(token, offered.encode()):  # every token is compared, so time tells nothing
                found = caller
        return found
