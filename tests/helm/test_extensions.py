"""Checks that every extension point reaches every pod, and that nothing of the chart's own is lost by it."""

import re

import pytest
import yaml

from .chart import CHART, VARIANTS, Object, of_kind, render, templates

POINTS = render("extended")


def pods(variant: str) -> dict[str, Object]:
    """Returns the pod templates of services, bus, model server and training; hooks are not extended."""
    found = templates(render(variant))
    return {name: pod for name, pod in found.items() if "declare" not in name and not name.startswith("Pod/")}


@pytest.mark.parametrize("name", pods("extended"))
def test_every_extension_point_reaches_every_pod(name: str) -> None:
    pod, before = pods("extended")[name], pods("training job + gateway")[name]
    metadata, spec = pod["metadata"], pod["spec"]
    assert metadata["labels"] == before["metadata"]["labels"] | {"team": "research"}
    assert metadata["annotations"] == before["metadata"].get("annotations", {}) | {"example.com/note": "1"}
    assert spec["priorityClassName"] == "research"
    first, own = spec["containers"][0], before["spec"]["containers"][0]
    assert first["env"] == [*own["env"], {"name": "HTTPS_PROXY", "value": "http://proxy.example.com:3128"}]
    assert first["envFrom"] == [*own.get("envFrom", []), {"configMapRef": {"name": "more"}}]
    assert first["volumeMounts"][:-1] == own["volumeMounts"]
    assert first["volumeMounts"][-1]["name"] == spec["volumes"][-1]["name"] == "more"
    assert spec["volumes"][:-1] == before["spec"]["volumes"]
    assert [one["name"] for one in spec["containers"]] == [
        *(one["name"] for one in before["spec"]["containers"]),
        "shipper",
    ]
    assert spec["initContainers"][-1]["name"] == "wait"
    if name.startswith("Deployment/"):
        assert [one["whenUnsatisfiable"] for one in spec["topologySpreadConstraints"]] == ["DoNotSchedule"]
    if "nats" not in name:
        assert "nodeAffinity" in spec["affinity"]
    else:
        assert "podAntiAffinity" in spec["affinity"]


def test_the_selector_of_a_workload_is_not_extended() -> None:
    """A selector cannot be changed by an upgrade."""
    before = {one["metadata"]["name"]: one for one in render("gateway") if one["kind"] == "Deployment"}
    for name, one in of_kind(POINTS, "Deployment").items():
        assert one["spec"]["selector"] == before[name]["spec"]["selector"]


def test_more_objects_are_made_and_know_the_release() -> None:
    assert of_kind(POINTS, "ConfigMap")["more"]["data"] == {"of": "release in space"}


def test_a_mirror_holds_every_image() -> None:
    """Every pod of every variant, the hooks and the training template too, takes its images from the mirror."""
    seen = set()
    for variant in VARIANTS:
        for pod in templates(render(f"{variant} + mirrored")).values():
            for container in [*pod["spec"].get("initContainers", []), *pod["spec"]["containers"]]:
                if container["name"] not in ("wait", "shipper"):  # those of the user
                    mirror, _, image = container["image"].partition("/")
                    assert mirror == "mirror.example.com", (variant, container["image"])
                    seen.add(re.split("[:@]", image)[0])
    images = yaml.safe_load((CHART / "values.yaml").read_text())["images"]
    assert seen == {one["repository"] for one in images.values() if isinstance(one, dict)}


@pytest.mark.parametrize("variant", ["defaults", "training job", "three servers"])
def test_a_cluster_can_choose_the_users(variant: str) -> None:
    """OpenShift refuses a pod that names a user outside of its namespace's range."""
    chosen = {"runAsUser", "runAsGroup", "fsGroup"}
    for name, pod in templates(render(f"{variant} + any user")).items():
        contexts = [pod["spec"]["securityContext"]]
        contexts += [one["securityContext"] for one in pod["spec"]["containers"]]
        assert not any(chosen & context.keys() for context in contexts), name
        assert pod["spec"]["securityContext"]["runAsNonRoot"], name
    assert "any user" in VARIANTS
