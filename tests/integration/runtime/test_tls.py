"""TLS on real sockets: doors, calls to peers with proof on both sides, and certificates that are renewed meanwhile."""

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

from .test_grpc_server import FINISHED, door, refusal


def certificate(folder: Path, days: float = 1) -> tuple[Path, Path]:
    """A certificate for localhost that signs itself, good for so many days from now on; less than 0: has expired."""
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
        async with door(make_settings(nats_url=nats_url, tls_certificate=chain), "consensus"):
            pass
    settings = make_settings(nats_url=nats_url, tls_certificate=chain, tls_key=key, tls_client_ca=chain)
    async with serving(settings, ("consensus",)) as context:
        address = context.address.replace("127.0.0.1", "localhost")
        with_proof = grpc.ssl_channel_credentials(chain.read_bytes(), key.read_bytes(), chain.read_bytes())
        async with grpc.aio.secure_channel(address, with_proof) as channel:
            answer = await consensus_pb2_grpc.ConsensusServiceStub(channel).Cluster(FINISHED)
            assert answer.HasField("verdict")
        without = grpc.ssl_channel_credentials(chain.read_bytes())
        async with grpc.aio.secure_channel(address, without) as channel:
            code, _ = await refusal(consensus_pb2_grpc.ConsensusServiceStub(channel).Cluster(FINISHED, timeout=5))
            assert code in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED)


@pytest.mark.parametrize("expired", ["caller", "door"])
async def test_an_expired_certificate_opens_nothing(
    nats_url: str, make_settings: Callable[..., Settings], tmp_path: Path, expired: str
) -> None:
    pairs = {}
    for side in ("caller", "door"):
        (tmp_path / side).mkdir()
        pairs[side] = certificate(tmp_path / side, days=-0.01 if side == expired else 1)
    (mine, my_key), (theirs, their_key) = pairs["caller"], pairs["door"]
    settings = make_settings(nats_url=nats_url, tls_certificate=theirs, tls_key=their_key, tls_client_ca=mine)
    proof = grpc.ssl_channel_credentials(theirs.read_bytes(), my_key.read_bytes(), mine.read_bytes())
    async with (
        serving(settings, ("consensus",)) as context,
        grpc.aio.secure_channel(context.address.replace("127.0.0.1", "localhost"), proof) as channel,
    ):
        call = consensus_pb2_grpc.ConsensusServiceStub(channel).Cluster(FINISHED, timeout=5)
        code, words = await refusal(call)
    assert code == grpc.StatusCode.UNAVAILABLE
    assert expired == "caller" or "certificate has expired" in words  # a door tells a stranger nothing


async def test_a_peer_is_shown_our_certificate_and_a_renewed_one_is_taken_up(
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
                certificate(tmp_path)  # signs itself, so who still held the old one would be refused
                assert chain.read_bytes() != old


async def test_a_bus_that_is_to_speak_tls_and_does_not_is_refused(nats_url: str, tmp_path: Path) -> None:
    chain, _ = certificate(tmp_path)
    with pytest.raises(Misconfigured, match="speaks no TLS"):
        await Bus.connect(Settings(nats_url=nats_url, nats_ca=chain))
    with pytest.raises(Misconfigured, match="No such file"):
        await Bus.connect(Settings(nats_url=nats_url, nats_ca=tmp_path / "none"))
