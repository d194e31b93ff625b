"""Renders the chart with the real Helm engine, once for each variant of the values."""

import functools
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]
CHART = ROOT / "helm" / "ucoder"
HELM = Path(sys.executable).parent / "helm"

Object = dict[str, Any]

ON_S3 = ("store.url=s3://bucket/prefix", "store.volume.enabled=false", "store.credentialsSecret=keys")
FILES = ("defaults", "kind", "gke", "production")
"""The variants that consist of one values file of the chart."""
VARIANTS: dict[str, tuple[str, ...]] = {
    # A name that ends in .yaml is a values file of the chart; the others are values to set.
    "defaults": (),
    "kind": ("values-kind.yaml",),
    "gke": ("values-gke.yaml",),
    "production": ("values-production.yaml",),
    "keda": ("autoscaling.kind=keda",),
    "hpa": ("autoscaling.kind=hpa",),
    "no autoscaler": ("autoscaling.kind=none",),
    "external everything": ("ci/external-values.yaml",),
    "three servers": ("nats.replicas=3", "nats.credentialsSecret=creds"),
    "three servers over TLS": (
        "nats.replicas=3", "nats.credentialsSecret=creds", "tls.enabled=true", "tls.secret=certificates",
        "tls.clientCertificates=true",
    ),
    "training job": ("training.kind=job", "training.kueue.queue=gpu", "training.kueue.clusterQueue=all"),
    "training on nodes": (
        "training.kind=job", "training.nodes=4", "training.gpusPerNode=8", "training.kueue.queue=gpu",
    ),
    "kubeflow": ("training.kind=trainjob", "training.kueue.queue=gpu"),
    "kubeflow on nodes": (
        "training.kind=trainjob", "training.nodes=4", "training.gpusPerNode=8", "training.gangScheduling=false",
    ),
    "resource claims": (
        "training.kind=job", "training.resourceClaims[0].name=gpu",
        "training.resourceClaims[0].resourceClaimTemplateName=one-gpu", "vllm.resourceClaims[0].name=gpu",
        "vllm.resourceClaims[0].resourceClaimTemplateName=two-gpus", *ON_S3,
    ),
    "tls by secret": (
        "tls.enabled=true", "tls.secret=certificates", "tls.clientCertificates=true", "tokens.secret=tokens",
    ),
    "own runtime class": ("sandbox.runtimeClass.create=true", "sandbox.runtimeClass.nodeSelector.pool=sandbox"),
    "bare": (
        "networkPolicy.enabled=false", "topologySpread=false", "vllm.rollout=false", "store.volume.existingClaim=claim",
        "images.pullSecrets[0].name=registry", "vllm.tokenSecret=hub", "nameOverride=other",
    ),
    "extended": ("ci/extensions-values.yaml",),
    "mirrored": ("global.imageRegistry=mirror.example.com/",),
    "any user": ("fixedUsers=false",),
    "gateway": ("ci/gateway-values.yaml",),
    "observed": ("ci/observed-values.yaml",),
    "cilium": ("ci/cilium-values.yaml",),
    "dual stack": ("ci/dual-stack-values.yaml",),
}  # fmt: skip


def helm(*arguments: str) -> "subprocess.CompletedProcess[str]":
    """Runs Helm without the files of this user."""
    environment = {"HOME": "/nonexistent", "PATH": "/usr/bin:/bin"}
    return subprocess.run([HELM, *arguments], capture_output=True, text=True, env=environment, check=False)


def flags(variant: str) -> list[str]:
    """Returns Helm's flags for a variant, or for several such as "gke + hpa", of which the later ones win."""
    found = []
    for one in [one for name in variant.split(" + ") for one in VARIANTS[name]]:
        found += ["-f", str(CHART / one)] if one.endswith(".yaml") else ["--set", one]
    return found


@functools.cache
def render(variant: str) -> tuple[Object, ...]:
    """Returns the objects of a variant, as the API server would get them."""
    done = helm("template", "release", str(CHART), "--namespace", "space", *flags(variant))
    assert done.returncode == 0, done.stderr
    return tuple(one for one in yaml.load_all(done.stdout, yaml.CSafeLoader) if one)


def notes(variant: str, folder: Path) -> str:
    """Returns the notes that Helm prints after an installation.

    `helm template` leaves them out and `helm install` needs a cluster, so they are rendered as an object.
    """
    chart = shutil.copytree(CHART, folder / "ucoder")
    text = (chart / "templates" / "NOTES.txt").read_text()
    define = '{{ define "notes" }}' + text + "{{ end }}\n"
    (chart / "templates" / "notes.yaml").write_text(define + 'notes: {{ include "notes" . | quote }}\nkind: Notes\n')
    given = [one.replace(str(CHART), str(chart)) for one in flags(variant)]
    only = ("--namespace", "space", "--show-only", "templates/notes.yaml")
    done = helm("template", "release", str(chart), *only, *given)
    assert done.returncode == 0, done.stderr
    text = yaml.safe_load(done.stdout)["notes"]
    assert isinstance(text, str)
    return text


def of_kind(objects: tuple[Object, ...], kind: str) -> dict[str, Object]:
    """Returns the objects of one kind by name."""
    return {one["metadata"]["name"]: one for one in objects if one["kind"] == kind}


def templates(objects: tuple[Object, ...]) -> dict[str, Object]:
    """Returns every pod template by the object's kind and name, also the one inside the training template."""
    found = {}
    for one in objects:
        kind, name = one["kind"], one["metadata"]["name"]
        if kind in ("Deployment", "StatefulSet", "Job"):
            found[f"{kind}/{name}"] = one["spec"]["template"]
        elif kind == "Pod":
            found[f"Pod/{name}"] = {"metadata": one["metadata"], "spec": one["spec"]}
        elif kind in ("JobSet", "TrainingRuntime"):
            jobset = one["spec"] if kind == "JobSet" else one["spec"]["template"]["spec"]
            found[f"{kind}/{name}"] = jobset["replicatedJobs"][0]["template"]["spec"]["template"]
        elif kind == "ConfigMap" and "job.yaml" in one["data"]:
            found |= templates((yaml.safe_load(one["data"]["job.yaml"]),))
    return found


def environment(container: Object) -> dict[str, str]:
    """Returns a container's environment variables."""
    return {one["name"]: one.get("value", "") for one in container.get("env", [])}
