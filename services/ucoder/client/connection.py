"""The connection to a service: address, TLS, token, size limits, deadline and retries.

gRPC itself retries: it repeats an attempt that ended UNAVAILABLE or RESOURCE_EXHAUSTED after 0.5 s, and then after
growing pauses with jitter, within the call's deadline. It repeats a stream only before the stream's first answer.
"""

import contextlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypedDict

import grpc

from ucoder.errors import of_call

LARGEST = 64 << 20
"""Most bytes of one message. The server has a limit of its own."""
SERVICES = ("ucoder.v1.ConsensusService", "ucoder.v1.SandboxService")


class ConnectionOptions(TypedDict, total=False):
    """The keywords of a client, which are the fields of `Connection` without the address."""

    token: str
    tls: bool
    ca: Path | None
    certificate: Path | None
    key: Path | None
    attempts: int
    seconds: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Connection:
    """The settings of a connection. `address` is host:port."""

    address: str
    token: str = ""
    """Sent as `authorization: Bearer TOKEN`."""
    tls: bool = False
    """Encrypt, and check the server's certificate against the system's authorities or against `ca`."""
    ca: Path | None = None
    """File with the certificates to trust (PEM); implies TLS."""
    certificate: Path | None = None
    """File with this client's own certificate chain (PEM), for servers that ask for one; needs `key`."""
    key: Path | None = None
    """File with the key of `certificate` (PEM)."""
    attempts: int = 5
    """Most attempts at one call, 1 to 5."""
    seconds: float | None = 600.0
    """Deadline of one call, its retries included."""

    @property
    def metadata(self) -> tuple[tuple[str, str], ...]:
        """The metadata of every call: the token."""
        return (("authorization", f"Bearer {self.token}"),) if self.token else ()

    @property
    def call(self) -> dict[str, Any]:
        """The keyword arguments of every call: its deadline and its metadata."""
        return {"timeout": self.seconds, "metadata": self.metadata}

    @property
    def credentials(self) -> grpc.ChannelCredentials | None:
        """The TLS credentials, or None for a connection without TLS. Raises OSError when a file cannot be read."""
        if not (self.tls or self.ca or self.certificate):
            return None
        read = [path.read_bytes() if path else None for path in (self.ca, self.key, self.certificate)]
        return grpc.ssl_channel_credentials(*read)

    @property
    def options(self) -> list[tuple[str, Any]]:
        """The arguments of the channel."""
        retry = {
            "maxAttempts": self.attempts,
            "initialBackoff": "0.5s",
            "maxBackoff": "15s",
            "backoffMultiplier": 3,
            "retryableStatusCodes": ["UNAVAILABLE", "RESOURCE_EXHAUSTED"],
        }
        method: dict[str, Any] = {"name": [{"service": name} for name in SERVICES]}
        if self.attempts > 1:
            method["retryPolicy"] = retry
        return [
            ("grpc.service_config", json.dumps({"methodConfig": [method]})),
            ("grpc.per_rpc_retry_buffer_size", LARGEST),
            ("grpc.max_send_message_length", LARGEST),
            ("grpc.max_receive_message_length", LARGEST),
            ("grpc.lb_policy_name", "round_robin"),
        ]


def open_channel(connection: Connection, library: Any) -> Any:
    """Opens a channel of `library`, which is `grpc` or `grpc.aio`. Raises OSError when a file cannot be read."""
    credentials = connection.credentials
    if credentials is None:
        return library.insecure_channel(connection.address, connection.options)
    return library.secure_channel(connection.address, credentials, connection.options)


@contextlib.contextmanager
def typed_errors() -> Iterator[None]:
    """Raises the `UcoderError` for the status of a failed call, blocking or asynchronous."""
    try:
        yield
    except grpc.RpcError as error:
        raise of_call(error) from None
