"""NATS accounts for a cluster: one user per service, each with the rights its arrows need and no others.

`python deploy/nats_accounts.py FOLDER` writes auth.conf (for the server) and <service>.creds (for the services), and
prints the account's name, which KEDA asks for. Then:
    kubectl create secret generic ucoder-nats --from-file=FOLDER
    helm upgrade ... --set nats.credentialsSecret=ucoder-nats --set nats.account=ACCOUNT
The operator's and the account's keys are used once and forgotten: run it again to change anything.
"""

import base64
import hashlib
import json
import os
import secrets
import sys
import time
from pathlib import Path
from typing import Any

import nkeys

from ucoder.flow import BRIEF_KINDS, SERVICES, arrows_of
from ucoder.runtime.bus import DEAD, STREAM
from ucoder.runtime.run_states import BUCKET

UNLIMITED = -1


class Key:
    """A fresh nkey of a kind."""

    def __init__(self, kind: int) -> None:
        self.seed = bytes(nkeys.encode_seed(secrets.token_bytes(32), kind))
        self._pair = nkeys.from_seed(bytearray(self.seed))
        self.public = self._pair.public_key.decode()

    def sign(self, subject: str, name: str, kind: str, claims: dict[str, Any]) -> str:
        """A NATS token (JWT, version 2) about `subject`, issued by this key."""
        body: dict[str, Any] = {"jti": "", "iat": int(time.time()), "iss": self.public, "name": name, "sub": subject}
        body["nats"] = {**claims, "type": kind, "version": 2}
        digest = hashlib.new("sha512_256", json.dumps(body).encode()).digest()
        body["jti"] = base64.b32encode(digest).decode().rstrip("=")
        text = f"{_encode({'typ': 'JWT', 'alg': 'ed25519-nkey'})}.{_encode(body)}"
        return f"{text}.{_base64(self._pair.sign(text.encode()))}"


def rights(service: str) -> list[str]:
    """Subjects that a service may publish to, from flow.py."""
    allowed = ["$JS.API.INFO", f"$KV.{BUCKET}.>", f"$JS.API.DIRECT.GET.KV_{BUCKET}.>"]
    for stream in (STREAM, DEAD, f"KV_{BUCKET}"):
        allowed += [f"$JS.API.STREAM.CREATE.{stream}", f"$JS.API.STREAM.INFO.{stream}"]
    allowed += [f"$JS.API.STREAM.MSG.GET.KV_{BUCKET}"]
    allowed += [f"$JS.API.CONSUMER.CREATE.{STREAM}.>", f"$JS.API.CONSUMER.DURABLE.CREATE.{STREAM}.*"]
    for arrow in arrows_of(service):
        allowed += [f"$JS.API.CONSUMER.MSG.NEXT.{STREAM}.{arrow.name}", f"$JS.ACK.{STREAM}.{arrow.name}.>"]
        allowed += [f"ucoder.{arrow.product}.>", f"ucoder-dead.{arrow.name}.>"]
        allowed += ["ucoder.consensus.>"] if arrow.source in BRIEF_KINDS else []  # a brief may end at any stage
    if service == "runs":  # begins runs; looks after dead letters; keys() of the bucket makes a consumer
        allowed += [f"$JS.API.STREAM.UPDATE.{stream}" for stream in (STREAM, DEAD, f"KV_{BUCKET}")]
        allowed += ["ucoder.run.>", f"$JS.API.STREAM.MSG.*.{DEAD}", f"$JS.API.STREAM.PURGE.{STREAM}"]
        allowed += [f"$JS.API.CONSUMER.CREATE.KV_{BUCKET}.>", f"$JS.API.CONSUMER.DELETE.KV_{BUCKET}.>"]
    return sorted(set(allowed))


def write(folder: Path) -> str:
    """Fills the folder; returns the account's name."""
    operator, account = Key(nkeys.PREFIX_BYTE_OPERATOR), Key(nkeys.PREFIX_BYTE_ACCOUNT)
    system = Key(nkeys.PREFIX_BYTE_ACCOUNT)  # the server's own, which JetStream needs and nobody has a user of
    plain = dict.fromkeys(("subs", "data", "payload", "imports", "exports", "conn", "leaf"), UNLIMITED)
    stored = dict.fromkeys(("mem_storage", "disk_storage", "streams", "consumer"), UNLIMITED)
    limits = {**plain, "wildcards": True}
    token = operator.sign(account.public, "ucoder", "account", {"limits": {**limits, **stored}})
    system_token = operator.sign(system.public, "SYS", "account", {"limits": limits})
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    _private(
        folder / "auth.conf",
        f"operator: {operator.sign(operator.public, 'ucoder', 'operator', {})}\n"
        f"system_account: {system.public}\nresolver: MEMORY\nresolver_preload: {{\n"
        f"  {system.public}: {system_token}\n"
        f"  {account.public}: {token}\n}}\n",
    )
    for service in SERVICES:
        user = Key(nkeys.PREFIX_BYTE_USER)
        inbox = f"_INBOX_{service}.>"  # its own, as the chart's UCODER_NATS_INBOX_PREFIX says
        permissions = {"pub": {"allow": rights(service)}, "sub": {"allow": [inbox]}}
        unlimited = dict.fromkeys(("subs", "data", "payload"), UNLIMITED)
        signed = account.sign(user.public, service, "user", {**permissions, **unlimited})
        _private(folder / f"{service.replace('_', '-')}.creds", _credentials(signed, user.seed.decode()))
    return account.public


def _credentials(token: str, seed: str) -> str:
    return (
        f"-----BEGIN NATS USER JWT-----\n{token}\n------END NATS USER JWT------\n\n"
        f"-----BEGIN USER NKEY SEED-----\n{seed}\n------END USER NKEY SEED------\n"
    )


def _private(path: Path, text: str) -> None:
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.write(text)


def _encode(claims: dict[str, Any]) -> str:
    return _base64(json.dumps(claims).encode())


def _base64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


if __name__ == "__main__":
    print(write(Path(sys.argv[1])))
