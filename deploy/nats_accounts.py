"""NATS accounts for a cluster: one user per service, each with the rights that its arrows need and no others.

`python deploy/nats_accounts.py FOLDER` writes auth.conf (for the server: users by their public nkeys) and
<service>.creds (for the services: the seed of its own key). Then:
    kubectl create secret generic ucoder-nats --from-file=FOLDER
    helm upgrade ... --set nats.credentialsSecret=ucoder-nats --set nats.account=UCODER
The seeds are stored nowhere else. To change anything, run it again.
"""

import json
import os
import secrets
import sys
from pathlib import Path

import nkeys

from ucoder.flow import BRIEF_KINDS, PROGRESS_EVENTS, SERVICES, arrows_of
from ucoder.runtime.messaging.bus import DEAD_STREAM, STREAM
from ucoder.runtime.messaging.count_chunks import GRANTS, STAGES
from ucoder.runtime.messaging.run_states import BUCKET
from ucoder.runtime.messaging.running_counts import COUNTS_BUCKET

ACCOUNT = "UCODER"


def may_publish(service: str) -> list[str]:
    """Returns the subjects that a service may publish to, derived from flow.py."""
    streams = (STREAM, DEAD_STREAM, f"KV_{BUCKET}", f"KV_{COUNTS_BUCKET}")
    allowed = ["$JS.API.INFO", f"$KV.{BUCKET}.>", f"$JS.API.DIRECT.GET.KV_{COUNTS_BUCKET}"]
    for stream in streams:
        allowed += [f"$JS.API.STREAM.CREATE.{stream}", f"$JS.API.STREAM.INFO.{stream}"]
    for bucket in (BUCKET, COUNTS_BUCKET):
        allowed += [f"$JS.API.DIRECT.GET.KV_{bucket}.>", f"$JS.API.STREAM.MSG.GET.KV_{bucket}"]
    allowed += [f"$JS.API.CONSUMER.CREATE.{STREAM}.>", f"$JS.API.CONSUMER.DURABLE.CREATE.{STREAM}.*"]
    for arrow in arrows_of(service):
        allowed += [f"$JS.API.CONSUMER.MSG.NEXT.{STREAM}.{arrow.name}", f"$JS.ACK.{STREAM}.{arrow.name}.>"]
        allowed += [f"ucoder-dead.{arrow.name}.>"]
        # a brief may end at any stage
        for product in (arrow.product, "consensus") if arrow.source in BRIEF_KINDS else (arrow.product,):
            allowed += [f"ucoder.{product}.>"]
            allowed += [f"$KV.{COUNTS_BUCKET}.*.*.{product}.*"] if product in STAGES else []
        allowed += [f"$KV.{COUNTS_BUCKET}.*.*.{GRANTS}.*"] if arrow.product == "candidates" else []
    if service == "runs":  # it begins runs, puts them back on the bus, counts them again, and manages dead letters
        allowed += [f"$JS.API.STREAM.UPDATE.{stream}" for stream in streams]
        allowed += ["ucoder.>", f"$JS.API.STREAM.MSG.*.{DEAD_STREAM}", f"$JS.API.CONSUMER.INFO.{STREAM}.*"]
        allowed += [f"$KV.{COUNTS_BUCKET}.>", f"$JS.API.STREAM.MSG.GET.{STREAM}"]
        allowed += [f"$JS.API.STREAM.PURGE.{stream}" for stream in streams]
        # to list runs, the bucket makes a consumer
        allowed += [f"$JS.API.CONSUMER.{verb}.KV_{BUCKET}.>" for verb in ("CREATE", "INFO", "DELETE")]
        allowed += [f"$JS.API.CONSUMER.CREATE.KV_{BUCKET}"]
    allowed += [f"{event.subject}.>" for event in PROGRESS_EVENTS if event.sender == service]
    return sorted(set(allowed))


def may_subscribe(service: str) -> list[str]:
    """Returns the subjects that a service may listen to: its own inbox and its progress events.

    The chart names the inbox in UCODER_NATS_INBOX_PREFIX.
    """
    return [f"_INBOX_{service}.>", *(f"{event.subject}.>" for event in PROGRESS_EVENTS if event.listener == service)]


def write(folder: Path) -> str:
    """Writes the files into a folder and returns the account's name."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    users = []
    for service in SERVICES:
        seed = nkeys.encode_seed(secrets.token_bytes(32), nkeys.PREFIX_BYTE_USER)
        public = nkeys.from_seed(bytearray(seed)).public_key.decode()
        permissions = {"publish": {"allow": may_publish(service)}, "subscribe": {"allow": may_subscribe(service)}}
        users.append({"nkey": public, "permissions": permissions})
        _private(folder / f"{service.replace('_', '-')}.creds", seed.decode() + "\n")
    accounts = {ACCOUNT: {"jetstream": "enabled", "users": users}, "SYS": {"users": []}}
    _private(folder / "auth.conf", f"accounts: {json.dumps(accounts, indent=1)}\nsystem_account: SYS\n")
    return ACCOUNT


def _private(path: Path, text: str) -> None:
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.write(text)


if __name__ == "__main__":
    print(write(Path(sys.argv[1])))
