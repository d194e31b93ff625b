"""How a service is reached: address, TLS, token, size limits, and what is tried again.

The retries are gRPC's own: an attempt that ended UNAVAILABLE or RESOURCE_EXHAUSTED is repeated after 0.5 s, then
after longer and longer pauses with jitter, within the caller's deadline. A stream is repeated only before its first
answer.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc

from ucoder.errors import FAULTS, Retry, UcoderError

LARGEST = 64 << 20
"""Bytes of one message; the server has a limit of its own."""
SERVICE = "ucoder.v1.ConsensusService"


def fault(error: Any) -> UcoderError:
    """What a refused call means here, of the waiting client and of the other alike."""
    return FAULTS.get(error.code(), Retry)(error.details() or error.code().name)


@dataclass(frozen=True, slots=True, kw_only=True)
class Connection:
    """Where and how. `address` is host:port."""

    address: str
    token: str = ""
    """Sent as `authorization: Bearer TOKEN`."""
    tls: bool = False
    """Checked against the system's authorities, or against `ca`."""
    ca: Path | None = None
    """Certificates to trust (PEM); implies TLS."""
    certificate: Path | None = None
    """This client's own certificate chain (PEM), where the server asks for one; with `key`."""
    key: Path | None = None
    attempts: int = 5
    """Attempts at one call, 1 to 5."""
    seconds: float | None = 600.0
    """Deadline of one call, its retries included."""

    @property
    def metadata(self) -> tuple[tuple[str, str], ...]:
        """What every call carries."""
        return (("authorization", f"Bearer {self.token}"),) if self.token else ()

    @property
    def credentials(self) -> grpc.ChannelCredentials | None:
        """None for a connection in the clear. OSError when a file cannot be read."""
        if not (self.tls or self.ca or self.certificate):
            return None
        read = [path.read_bytes() if path else None for path in (self.ca, self.key, self.certificate)]
        return grpc.ssl_channel_credentials(*read)

    @property
    def options(self) -> list[tuple[str, Any]]:
        """The channel's arguments."""
        retry = {
            "maxAttempts": self.attempts,
            "initialBackoff": "0.5s",
            "maxBackoff": "15s",
            "backoffMultiplier": 3,
            "retryableStatusCodes": ["UNAVAILABLE", "RESOURCE_EXHAUSTED"],
        }
        method: dict[str, Any] = {"name": [{"service": SERVICE}]}
        if self.attempts > 1:
            method["retryPolicy"] = retry
        return [
            ("grpc.service_config", json.dumps({"methodConfig": [method]})),
            ("grpc.per_rpc_retry_buffer_size", LARGEST),
            ("grpc.max_send_message_length", LARGEST),
            ("grpc.max_receive_message_length", LARGEST),
            ("grpc.lb_policy_name", "round_robin"),
        ]
