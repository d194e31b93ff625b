"""Checks that a mistake in the values is refused with its name."""

import copy
import functools
import json
from pathlib import Path

import jsonschema
import pytest
import yaml

from .chart import CHART, helm, notes, render

MISTAKES = {
    "a misspelt key": ("vllm.replica=2", "replica"),
    "a misspelt service": ("services.sandbox_runner.replicas=2", "sandbox_runner"),
    "a misspelt setting": ("settings.log_levl=debug", "log_levl"),
    "a setting that the chart decides": ("settings.nats_url=nats://elsewhere", "nats_url"),
    "a misspelt key of a service": ("services.runs.replica=2", "replica"),
    "a wrong kind": ("autoscaling.kind=kda", "autoscaling.kind"),
    "a number for a word": ("sandbox.runtimeClass.name=7", "runtimeClass.name"),
    "a URL with a password": ("nats.url=nats://user:password@host:4222", "nats.url"),
    "an image by half a digest": ("images.service.digest=sha256:abc", "digest"),
    "no store": ("store.volume.enabled=false", "store.url"),
    "no model": ("vllm.enabled=false", "model.url"),
    "KEDA blind to an external bus": ("nats.url=nats://nats:4222,autoscaling.kind=keda", "nats.monitoring"),
    "certificates from nowhere": ("tls.enabled=true", "tls.secret"),
    "a cooldown shorter than a drain": ("autoscaling.kind=keda,autoscaling.cooldownSeconds=60", "drainSeconds"),
    "fewer GPUs than the model is split over": ("vllm.tensorParallel=4", "vllm.tensorParallel is 4"),
    "fewer GPUs of another maker": (
        "vllm.tensorParallel=4,vllm.resources.limits.nvidia\\.com/gpu=null,vllm.resources.limits.amd\\.com/gpu=2",
        "gives a pod 2 GPUs (amd.com/gpu)",
    ),
    "two numbers of GPUs for a training": (
        "training.kind=job,training.resources.limits.nvidia\\.com/gpu=4",
        "training.gpusPerNode is 1",
    ),
    "nodes that hold GPUs while they wait": (
        "training.kind=job,training.nodes=2",
        "training.nodes is 2 without training.kueue.queue",
    ),
    "host names without Cilium": ("networkPolicy.hub.fqdns[0]=huggingface.co", "needs networkPolicy.cilium"),
    "a range that is none": ("networkPolicy.hub.cidrs[0]=huggingface.co", "networkPolicy.hub.cidrs"),
    "two servers, which cannot agree": ("nats.replicas=2", "nats.replicas"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_refused_by_name(mistake: str) -> None:
    value, named = MISTAKES[mistake]
    done = helm("template", "release", str(CHART), "--set", value)
    assert done.returncode != 0
    assert named in done.stderr


def test_the_schema_closes_every_object() -> None:
    """The schema refuses an unknown key at every level of the values."""
    values = yaml.safe_load((CHART / "values.yaml").read_text())
    schema = jsonschema.Draft7Validator(json.loads((CHART / "values.schema.json").read_text()))
    schema.validate(values)
    for path in [(), *closed(values, ())]:
        wrong = copy.deepcopy(values)
        functools.reduce(lambda inner, key: inner[key], path, wrong)["unheard"] = {"of": 1}
        assert "unheard" in " ".join(error.message for error in schema.iter_errors(wrong)), path


def closed(values: dict[str, object], path: tuple[str, ...]) -> list[tuple[str, ...]]:
    """Returns the paths of the maps whose keys the chart defines, not the user."""
    free = {"annotations", "limits", "requests", "settings", "labels", "nodeSelector", "affinity"}
    free |= {"podLabels", "global"}
    found = []
    for key, value in values.items():
        if isinstance(value, dict) and key not in free and not key.endswith("Annotations"):
            found += [(*path, key), *closed(value, (*path, key))]
    return found


def test_the_autoscaler_is_what_the_cluster_has() -> None:
    for has, kind in (
        ("keda.sh/v1alpha1", "ScaledObject"),
        ("custom.metrics.k8s.io/v1beta1", "HorizontalPodAutoscaler"),
    ):
        assert f"kind: {kind}" in helm("template", "release", str(CHART), "--api-versions", has).stdout
    bare = helm("template", "release", str(CHART)).stdout
    assert "kind: ScaledObject" not in bare
    assert "kind: HorizontalPodAutoscaler" not in bare


def test_by_default_no_object_needs_a_resource_definition_that_a_cluster_may_lack() -> None:
    builtin = {"v1", "apps/v1", "batch/v1", "policy/v1", "networking.k8s.io/v1", "rbac.authorization.k8s.io/v1"}
    assert {one["apiVersion"] for variant in ("defaults", "kind") for one in render(variant)} <= builtin


def test_a_release_whose_name_no_service_can_have_is_refused() -> None:
    done = helm("template", "1st", str(CHART))
    assert done.returncode != 0
    assert "nameOverride" in done.stderr
    assert helm("template", "1st", str(CHART), "--set", "nameOverride=first").returncode == 0


@pytest.mark.parametrize("variant", ["defaults", "kind", "gke", "production", "hpa", "training job"])
def test_the_notes_warn_of_what_is_missing(variant: str, tmp_path: Path) -> None:
    said = notes(variant, tmp_path)
    assert ("WARNING: sandbox.isolation is none" in said) is (variant == "kind")
    assert ("WARNING: nothing scales" in said) is (variant in ("defaults", "training job"))
    assert ("No tokens" in said) is (variant != "production")
