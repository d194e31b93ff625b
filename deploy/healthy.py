"""Exits with 0 when the service in this container is ready: gRPC health over TLS, which the kubelet's own probe lacks.

Reads the service's own variables: UCODER_LISTEN, and for TLS UCODER_TLS_CERTIFICATE, UCODER_TLS_KEY and UCODER_TLS_CA.
"""

import os
import sys
from pathlib import Path

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc


def channel() -> grpc.Channel:
    """Opens a channel to this container. The certificate is valid for localhost, and is the caller's one too."""
    address = f"localhost:{os.environ.get('UCODER_LISTEN', '127.0.0.1:7070').rpartition(':')[2]}"
    certificate = os.environ.get("UCODER_TLS_CERTIFICATE")
    if not certificate:
        return grpc.insecure_channel(address)
    authority = os.environ["UCODER_TLS_CA"]
    files = (authority, os.environ["UCODER_TLS_KEY"], certificate)
    return grpc.secure_channel(address, grpc.ssl_channel_credentials(*(Path(name).read_bytes() for name in files)))


def main() -> int:
    """Returns the exit status, and prints one line with the reason."""
    try:
        with channel() as open_channel:
            answer = health_pb2_grpc.HealthStub(open_channel).Check(health_pb2.HealthCheckRequest(), timeout=4)
    except grpc.RpcError as error:
        print(f"not healthy: {error.code().name} {error.details()}")
        return 1
    print(health_pb2.HealthCheckResponse.ServingStatus.Name(answer.status))
    return 0 if answer.status == health_pb2.HealthCheckResponse.SERVING else 1


sys.exit(main())
