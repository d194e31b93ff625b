"""The tokens of callers, from a file of `caller:token` lines, for gRPC and the dashboard alike."""

import hmac
from contextvars import ContextVar
from pathlib import Path

from ucoder.errors import Misconfigured

CALLER: ContextVar[str] = ContextVar("caller", default="")
"""Name of the caller by the tokens file; empty where no token is required."""


class CallerTokens:
    """The known callers. Without a file no token is required."""

    def __init__(self, path: Path | None) -> None:
        """Reads the file; raises Misconfigured, naming file and line, when it cannot be used."""
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
            raise Misconfigured(f"UCODER_TOKENS_FILE={path}: holds no token; add lines of caller:token.")

    def caller(self, token: str) -> str | None:
        """Returns the owner of a token: None for an unknown one, and the empty name where no token is required."""
        if not self._callers:
            return ""
        found = None
        for known, caller in self._callers.items():
            if hmac.compare_digest(known, token.encode()):  # all are compared, so the time taken reveals nothing
                found = caller
        return found
