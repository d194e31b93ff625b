"""TLS of the gRPC servers, of the calls between services and of the bus; certificates may be renewed while we run."""

import ssl
from pathlib import Path

import grpc

from ucoder.errors import Misconfigured
from ucoder.runtime.settings import Settings


def server_credentials(settings: Settings) -> grpc.ServerCredentials | None:
    """Returns the server's credentials, whose files are read again at each handshake; None without a certificate.

    Raises Misconfigured when a file is missing.
    """
    if settings.tls_certificate is None:
        return None
    first = _server_certificate(settings)

    def renewed() -> grpc.ServerCertificateConfiguration | None:
        try:
            return _server_certificate(settings)
        except Misconfigured:
            return None  # the last certificate stays in use

    return grpc.dynamic_ssl_server_credentials(first, renewed, settings.tls_client_ca is not None)  # type: ignore[arg-type]  # None means unchanged


def client_credentials(settings: Settings) -> grpc.ChannelCredentials | None:
    """Returns the credentials of calls to other services: TLS with our own certificate, or None where we have none."""
    if settings.tls_certificate is None:
        return None
    key, chain = _key_and_chain(settings)
    return grpc.ssl_channel_credentials(_read(settings.tls_ca) if settings.tls_ca else None, key, chain)


def bus_context(settings: Settings) -> ssl.SSLContext | None:
    """Returns the TLS context of the bus connection; None where `nats_ca` is not set."""
    if settings.nats_ca is None:
        return None
    try:
        context = ssl.create_default_context(cafile=settings.nats_ca)
        if settings.tls_certificate:
            context.load_cert_chain(settings.tls_certificate, settings.tls_key)
    except OSError as error:  # ssl.SSLError is a subclass
        raise Misconfigured(f"TLS of the bus: {settings.nats_ca}: {error.strerror or error}.") from None
    return context


def certificate_version(settings: Settings) -> int:
    """Returns a number that changes when the certificate is renewed, so that connections can be made anew."""
    try:
        return settings.tls_certificate.stat().st_mtime_ns if settings.tls_certificate else 0
    except OSError:
        return 0


def _server_certificate(settings: Settings) -> grpc.ServerCertificateConfiguration:
    authority = _read(settings.tls_client_ca) if settings.tls_client_ca else None
    return grpc.ssl_server_certificate_configuration([_key_and_chain(settings)], authority)


def _key_and_chain(settings: Settings) -> tuple[bytes, bytes]:
    if settings.tls_key is None or settings.tls_certificate is None:
        raise Misconfigured("UCODER_TLS_CERTIFICATE needs UCODER_TLS_KEY beside it.")
    return _read(settings.tls_key), _read(settings.tls_certificate)


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise Misconfigured(f"TLS: {path}: {error.strerror}.") from None
