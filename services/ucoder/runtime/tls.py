"""TLS at the doors, to peers and to the bus, from files that a certificate manager may renew while we run."""

import ssl

import grpc

from ucoder.errors import Misconfigured
from ucoder.runtime.settings import Settings


def of_doors(settings: Settings) -> grpc.ServerCredentials | None:
    """What the doors show, read again at each handshake; None where no certificate is set.

    Raises Misconfigured when a file is missing.
    """
    if settings.tls_certificate is None:
        return None
    first = _shown(settings)

    def renewed() -> grpc.ServerCertificateConfiguration | None:
        try:
            return _shown(settings)
        except Misconfigured:
            return None  # what was shown last is shown on

    return grpc.dynamic_ssl_server_credentials(first, renewed, settings.tls_client_ca is not None)  # type: ignore[arg-type]  # None means unchanged


def of_peers(settings: Settings) -> grpc.ChannelCredentials | None:
    """How other services are called: over TLS where our own doors have it, showing the same certificate."""
    if settings.tls_certificate is None:
        return None
    key, chain = _pair(settings)
    return grpc.ssl_channel_credentials(_read(settings.tls_ca) if settings.tls_ca else None, key, chain)


def of_bus(settings: Settings) -> ssl.SSLContext | None:
    """How the bus is called; None where `nats_ca` is not set."""
    if settings.nats_ca is None:
        return None
    try:
        context = ssl.create_default_context(cafile=settings.nats_ca)
        if settings.tls_certificate:
            context.load_cert_chain(settings.tls_certificate, settings.tls_key)
    except OSError as error:  # ssl.SSLError is one
        raise Misconfigured(f"TLS of the bus: {settings.nats_ca}: {error.strerror or error}.") from None
    return context


def identity(settings: Settings) -> int:
    """Changes when the certificate was renewed: a connection that is to show the new one has to be made anew."""
    try:
        return settings.tls_certificate.stat().st_mtime_ns if settings.tls_certificate else 0
    except OSError:
        return 0


def _shown(settings: Settings) -> grpc.ServerCertificateConfiguration:
    authority = _read(settings.tls_client_ca) if settings.tls_client_ca else None
    return grpc.ssl_server_certificate_configuration([_pair(settings)], authority)


def _pair(settings: Settings) -> tuple[bytes, bytes]:
    """Key and chain."""
    if settings.tls_key is None:
        raise Misconfigured("UCODER_TLS_CERTIFICATE needs UCODER_TLS_KEY beside it.")
    return _read(settings.tls_key), _read(settings.tls_certificate)


def _read(path: object) -> bytes:
    try:
        with open(str(path), "rb") as file:
            return file.read()
    except OSError as error:
        raise Misconfigured(f"TLS: {path}: {error.strerror}.") from None
