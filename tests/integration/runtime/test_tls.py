"""Tests of TLS on real sockets: servers, mutual TLS between services, certificates that are renewed meanwhile."""

import datetime
from collections.abc import Callable
from pathlib import Path

import grpc
import pytest

from ucoder.errors import Misconfigured
from ucoder.runtime.app import serving
from ucoder.runtime.messaging.bus import Bus
from ucoder.runtime.settings import Settings
from ucoder.v1 import consensus_pb2_grpc

from .test_grpc_server import FINISHED, refusal, serving_channel


def certificate(folder: Path, days: float = 1) -> tuple[Path, Path]:
    """Makes a self-signed certificate for localhost that is valid for a number of days; below 0 it has expired."""
    x509 = pytest.importorskip("cryptography.x509")
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    end = datetime.datetime.now(datetime.UTC) + datetime.timedelta(days=days)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(end - datetime.timedelta(days=2))
        .not_valid_after(end)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    (folder / "tls.crt").write_bytes(made.public_bytes(pem))
    secret = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    (folder / "tls.key").write_bytes(secret)
    return folder / "tls.crt", folder / "tls.key"


async def test_tls_and_mutual_tls(nats_url: str, make_settings: Callable[..., Settings], tmp_path: Path) -> None:
    chain, key = certificate(tmp_path)
    with pytest.raises(Misconfigured, match="UCODER_TLS_KEY"):
        async with serving_channel(make_settings(nats_url=nats_url, tls_certificate=chain), "consensus"):
            pass
    settings = make_settings(nats_url=nats_url, tls_certificate=chain, tls_key=key, tls_client_ca=chain)
    async with serving(settings, ("consensus",)) as context:
        address = context.address.replace("127.0.0.1", "localhost")
        with_certificate = grpc.ssl_channel_credentials(chain.read_bytes(), key.read_bytes(), chain.read_bytes())
        async with grpc.aio.secure_channel(address, with_certificate) as channel:
            answer = await consensus_pb2_grpc.ConsensusServiceStub(channel).Cluster(FINISHED)
            assert answer.HasField("verdict")
        without = grpc.ssl_channel_credentials(chain.read_bytes())
        async with grpc.aio.secure_channel(address, without) as channel:
            code, _ = await refusal(consensus_pb2_grpc.ConsensusServiceStub(channel).Cluster(FINISHED, timeout=5))
            assert code in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED)


@pytest.mark.parametrize("expired", ["caller", "server"])
async def test_an_expired_certificate_is_refused(
    nats_url: str, make_settings: Callable[..., Settings], tmp_path: Path, expired: str
) -> None:
    pairs = {}
    for side in ("caller", "server"):
        (tmp_path / side).mkdir()
        pairs[side] = certificate(tmp_path / side, days=-0.01 if side == expired else 1)
    (mine, my_key), (theirs, their_key) = pairs["caller"], pairs["server"]
    settings = make_settings(nats_url=nats_url, tls_certificate=theirs, tls_key=their_key, tls_client_ca=mine)
    credentials = grpc.ssl_channel_credentials(theirs.read_bytes(), my_key.read_bytes(), mine.read_bytes())
    async with (
        serving(settings, ("consensus",)) as context,
        grpc.aio.secure_channel(context.address.replace("127.0.0.1", "localhost"), credentials) as channel,
    ):
        call = consensus_pb2_grpc.ConsensusServiceStub(channel).Cluster(FINISHED, timeout=5)
        code, words = await refusal(call)
    assert code == grpc.StatusCode.UNAVAILABLE
    assert expired == "caller" or "certificate has expired" in words  # a server tells the caller no reason


async def test_calls_between_services_use_mutual_tls_and_renewed_certificates(
    nats_url: str, make_settings: Callable[..., Settings], tmp_path: Path
) -> None:
    chain, key = certificate(tmp_path)
    files = {"tls_certificate": chain, "tls_key": key, "tls_ca": chain}
    async with serving(make_settings(nats_url=nats_url, **files, tls_client_ca=chain), ("consensus",)) as context:
        peers = "consensus=" + context.address.replace("127.0.0.1", "localhost")
        async with serving(make_settings(nats_url=nats_url, **files, peers=peers), ("test_synth",)) as caller:
            for _ in range(2):
                answer = await caller.peers.consensus.Cluster(FINISHED)
                assert answer.HasField("verdict")
                old = chain.read_bytes()
                certificate(tmp_path)  # self-signed, so a caller with the old one would be refused
                assert chain.read_bytes() != old


async def test_a_bus_without_tls_is_refused_when_tls_is_set(nats_url: str, tmp_path: Path) -> None:
    chain, _ = certificate(tmp_path)
    with pytest.raises(Misconfigured, match="speaks no TLS"):
        await Bus.connect(Settings(nats_url=nats_url, nats_ca=chain))
    with pytest.raises(Misconfigured, match="No such file"):
        await Bus.connect(Settings(nats_url=nats_url, nats_ca=tmp_path / "none"))
