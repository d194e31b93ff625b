"""Starts a real Kubernetes API server on free loopback ports: etcd and kube-apiserver, without nodes or controllers.

The programs come from the folder that KUBEBUILDER_ASSETS names, as `setup-envtest use -p path` prints it, or from PATH.
"""

import contextlib
import json
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from tests.s3 import free_ports

Object = dict[str, Any]
TOKEN = "administrator-of-a-test"  # of a server that lives as long as one test run
APPLY = {"Content-Type": "application/apply-patch+yaml"}


def missing() -> list[str]:
    """Returns the programs of a control plane that are not on this machine."""
    return [name for name in ("etcd", "kube-apiserver", "kubectl") if not program(name)]


def program(name: str) -> str | None:
    """Returns the path of a program, or None."""
    return shutil.which(name, path=os.pathsep.join([os.environ.get("KUBEBUILDER_ASSETS", ""), os.environ["PATH"]]))


@dataclass(frozen=True)
class Cluster:
    """The API server, used as its administrator."""

    kubeconfig: Path
    client: httpx.Client

    def kubectl(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        """Runs kubectl without the files of this user."""
        environment = {
            "HOME": str(self.kubeconfig.parent),
            "PATH": os.environ["PATH"],
            "KUBECONFIG": str(self.kubeconfig),
        }
        command = [program("kubectl") or "kubectl", *arguments]
        return subprocess.run(command, capture_output=True, text=True, env=environment, check=False)

    def path(self, one: Object, namespace: str) -> str:
        """Returns the path of the API for objects of this kind, as the server lists it."""
        version = one["apiVersion"]
        root = f"/api/{version}" if version == "v1" else f"/apis/{version}"
        [kind] = [
            each for each in self.client.get(root).raise_for_status().json()["resources"]
            if each["kind"] == one["kind"] and "/" not in each["name"]
        ]  # fmt: skip
        return f"{root}/namespaces/{namespace}/{kind['name']}" if kind["namespaced"] else f"{root}/{kind['name']}"

    def apply(self, one: Object, namespace: str = "", dry: bool = False) -> Object:
        """Applies an object by server-side apply. Fails when the server refuses it or does not know a field."""
        parameters = {"fieldManager": "tests", "force": "true", "fieldValidation": "Strict"}
        parameters |= {"dryRun": "All"} if dry else {}
        path = f"{self.path(one, namespace)}/{one['metadata']['name']}"
        answer = self.client.patch(path, params=parameters, json=one, headers=APPLY)
        assert answer.status_code in (200, 201), f"{one['kind']} {one['metadata']['name']}: {answer.text}"
        assert "Warning" not in answer.headers, f"{one['kind']} {one['metadata']['name']}: {answer.headers['Warning']}"
        made: Object = answer.json()
        return made


@contextlib.contextmanager
def running(folder: Path, *flags: str) -> Iterator[Cluster]:
    """Runs etcd and an API server while the block runs; both keep their files below a folder."""
    clients, peers, port = free_ports(3)
    etcd = f"http://127.0.0.1:{clients}"
    subprocess.run(["openssl", "genrsa", "-out", folder / "accounts.key", "2048"], check=True, capture_output=True)
    (folder / "tokens.csv").write_text(f"{TOKEN},administrator,administrator,system:masters\n")
    with contextlib.ExitStack() as held:
        held.enter_context(
            process(
                folder / "etcd.log", "etcd", f"--data-dir={folder / 'etcd'}", f"--listen-client-urls={etcd}",
                f"--advertise-client-urls={etcd}", f"--listen-peer-urls=http://127.0.0.1:{peers}",
                "--unsafe-no-fsync",
            )
        )  # fmt: skip
        server = held.enter_context(
            process(
                folder / "server.log", "kube-apiserver", f"--etcd-servers={etcd}", "--bind-address=127.0.0.1",
                "--advertise-address=127.0.0.1", f"--secure-port={port}", f"--cert-dir={folder}",
                f"--token-auth-file={folder / 'tokens.csv'}", "--authorization-mode=RBAC",
                "--service-account-issuer=https://localhost", f"--service-account-key-file={folder / 'accounts.key'}",
                f"--service-account-signing-key-file={folder / 'accounts.key'}",
                "--service-cluster-ip-range=10.0.0.0/24",
                "--disable-admission-plugins=ServiceAccount",  # no controller makes a namespace's default account
                *flags,
            )
        )  # fmt: skip
        client = held.enter_context(
            httpx.Client(
                base_url=f"https://127.0.0.1:{port}",
                headers={"Authorization": f"Bearer {TOKEN}"},
                timeout=60,
                verify=False,
            )
        )
        deadline = time.monotonic() + 120
        while not ready(client):
            assert server.poll() is None, (folder / "server.log").read_text()[-4000:]
            assert time.monotonic() < deadline, (folder / "server.log").read_text()[-4000:]
            time.sleep(0.2)
        yield Cluster(kubeconfig(folder, port), client)


def ready(client: httpx.Client) -> bool:
    try:
        return client.get("/readyz").status_code == 200
    except httpx.TransportError:
        return False


def kubeconfig(folder: Path, port: int) -> Path:
    """Writes the configuration of Helm and kubectl, and returns its path."""
    path = folder / "kubeconfig"
    server = {"server": f"https://127.0.0.1:{port}", "certificate-authority": str(folder / "apiserver.crt")}
    config = {
        "apiVersion": "v1", "kind": "Config", "current-context": "here",
        "clusters": [{"name": "here", "cluster": server}],
        "users": [{"name": "administrator", "user": {"token": TOKEN}}],
        "contexts": [{"name": "here", "context": {"cluster": "here", "user": "administrator"}}],
    }  # fmt: skip
    path.write_text(json.dumps(config))  # JSON is YAML
    path.chmod(0o600)
    return path


@contextlib.contextmanager
def process(log: Path, name: str, *arguments: str) -> "Iterator[subprocess.Popen[bytes]]":
    """Runs a program of the control plane while the block runs."""
    with log.open("wb") as out:
        started = subprocess.Popen([program(name) or name, *arguments], stdout=out, stderr=out, cwd=log.parent)
        try:
            yield started
        finally:
            started.terminate()
            try:
                started.wait(30)
            except subprocess.TimeoutExpired:
                started.kill()
                started.wait()
