"""Runs for `helm test`: calls ConsensusService.Select with five programs of which three agree.

Exits with 0 when one of those three is selected.
"""

import os
import sys
from pathlib import Path

import grpc

from ucoder.v1 import artifacts_pb2, consensus_pb2, consensus_pb2_grpc

PROGRAMS = [
    "def add(a, b):\n    return a + b\n",
    "def add(a, b):\n    return a - b\n",
    "def add(a, b):\n    return sum((a, b))\n",
    "def add(a, b):\n    return a * b\n",
    "def add(a, b):\n    total = b\n    total += a\n    return total\n",
]
AGREE = {0, 2, 4}
TESTS = ["assert add(1, 2) == 3", "assert add(-4, 9) == 5", "assert add(0, 7) == 7"]


def channel(address: str) -> grpc.Channel:
    """Opens a channel to the service, over TLS if TLS_FOLDER is set."""
    folder = os.environ.get("TLS_FOLDER")
    if not folder:
        return grpc.insecure_channel(address)
    authority, key, certificate = (Path(folder, name).read_bytes() for name in ("ca.crt", "tls.key", "tls.crt"))
    return grpc.secure_channel(address, grpc.ssl_channel_credentials(authority, key, certificate))


def main() -> int:
    metadata = []
    if tokens := os.environ.get("TOKENS"):
        token = Path(tokens).read_text().strip().splitlines()[0].partition(":")[2]
        metadata.append(("authorization", f"Bearer {token}"))
    request = consensus_pb2.SelectRequest(
        programs=PROGRAMS, tests=[artifacts_pb2.TestCase(code=code) for code in TESTS], entry_point="add"
    )
    with channel(sys.argv[1]) as open_channel:
        stub = consensus_pb2_grpc.ConsensusServiceStub(open_channel)
        verdict = stub.Select(request, timeout=300, metadata=metadata, wait_for_ready=True).verdict
    print(f"selected program {verdict.selected} with confidence {verdict.confidence:.2f}")
    return 0 if not verdict.abstained and verdict.selected in AGREE else 1


sys.exit(main())
