"""Checks every pod against the restricted Pod Security standard and our own stricter rules."""

import re

import pytest

from .chart import VARIANTS, Object, environment, of_kind, render, templates

SAFE_VOLUMES = {"configMap", "emptyDir", "persistentVolumeClaim", "secret"}
WITH_ROLE = {"release-generator", "release-trainer", "other-generator", "other-trainer"}


def pods(variant: str) -> list[tuple[str, Object]]:
    found = templates(render(variant))
    assert found
    return [(name, template["spec"]) for name, template in found.items()]


def containers(spec: Object) -> list[Object]:
    return [*spec["containers"], *spec.get("initContainers", [])]


@pytest.mark.parametrize("variant", VARIANTS)
def test_pods_are_restricted(variant: str) -> None:
    for name, spec in pods(variant):
        context = spec["securityContext"]
        assert context["runAsNonRoot"] is True, name
        assert context.get("runAsUser", 0) >= 10001 or variant == "any user", name  # there the cluster chooses
        assert context["seccompProfile"] == {"type": "RuntimeDefault"}, name
        assert not any(spec.get(key) for key in ("hostNetwork", "hostPID", "hostIPC", "shareProcessNamespace")), name
        assert spec["enableServiceLinks"] is False, name
        for volume in spec.get("volumes", []):
            kinds = set(volume) - {"name"}
            assert kinds <= SAFE_VOLUMES, (name, volume)
            assert "emptyDir" not in kinds or volume["emptyDir"]["sizeLimit"], (name, volume)


@pytest.mark.parametrize("variant", VARIANTS)
def test_containers_are_restricted(variant: str) -> None:
    for name, spec in pods(variant):
        for container in containers(spec):
            context = container["securityContext"]
            assert context["allowPrivilegeEscalation"] is False, name
            assert context["privileged"] is False, name
            assert context["capabilities"] == {"drop": ["ALL"]}, name
            assert context["readOnlyRootFilesystem"] is True, name
            assert context["runAsNonRoot"] is True, name
            assert context.get("runAsUser", 1) > 0, name
            assert context["seccompProfile"] == {"type": "RuntimeDefault"}, name
            assert not [port for port in container.get("ports", []) if "hostPort" in port], name


@pytest.mark.parametrize("variant", VARIANTS)
def test_every_container_has_limits_and_requests(variant: str) -> None:
    for name, spec in pods(variant):
        for container in containers(spec):
            for side in ("requests", "limits"):
                assert {"cpu", "memory"} <= set(container["resources"][side]), (name, container["name"], side)


@pytest.mark.parametrize("variant", VARIANTS)
def test_what_is_not_our_own_image_may_be_pulled(variant: str) -> None:
    for name, spec in pods(variant):
        for container in containers(spec):
            ours = container["image"].rpartition("/")[2].startswith("ucoder-")
            assert ours or container["imagePullPolicy"] != "Never", (name, container["image"])


@pytest.mark.parametrize("variant", VARIANTS)
def test_only_a_pod_with_a_role_has_a_token(variant: str) -> None:
    bound = {subject["name"] for one in of_kind(render(variant), "RoleBinding").values() for subject in one["subjects"]}
    assert bound <= WITH_ROLE
    for name, spec in pods(variant):
        assert spec["automountServiceAccountToken"] is (spec.get("serviceAccountName") in bound), name
    for account in of_kind(render(variant), "ServiceAccount").values():
        assert account["automountServiceAccountToken"] is False


@pytest.mark.parametrize("variant", VARIANTS)
def test_roles_have_the_least_rights(variant: str) -> None:
    assert not of_kind(render(variant), "ClusterRole")
    for name, role in of_kind(render(variant), "Role").items():
        for rule in role["rules"]:
            words = [*rule["apiGroups"], *rule["resources"], *rule["verbs"]]
            assert "*" not in words, name
            assert "secrets" not in rule["resources"], name
            if "statefulsets" in rule["resources"]:
                assert rule["resourceNames"] == [name.removesuffix("-generator-vllm") + "-vllm"]
            if "pods" in rule["resources"] and "delete" in rule["verbs"]:
                assert rule["resourceNames"] == ["release-vllm-0", "release-vllm-1"], name


@pytest.mark.parametrize("variant", VARIANTS)
def test_no_secret_is_written_out(variant: str) -> None:
    for name, spec in pods(variant):
        for container in containers(spec):
            for variable, value in environment(container).items():
                assert not value or not re.search(r"TOKEN$|KEY$|PASSWORD|CREDENTIALS$", variable) or value[0] == "/", (
                    name,
                    variable,
                )
            assert "token" not in " ".join(container.get("args", [])).lower(), name
    assert not of_kind(render(variant), "Secret")


@pytest.mark.parametrize("variant", ["defaults", "gke", "production"])
def test_a_cell_shares_nothing_with_the_runner_but_its_socket(variant: str) -> None:
    template = templates(render(variant))["Deployment/release-sandbox-runner"]
    spec, annotations = template["spec"], template["metadata"]["annotations"]
    assert spec["runtimeClassName"] == ("space-release-gvisor" if variant == "production" else "gvisor")
    assert spec["shareProcessNamespace"] is False
    runner, *cells = spec["containers"]
    assert environment(runner)["UCODER_ISOLATION"] == "pod"
    assert len(cells) == int(environment(runner)["UCODER_CELLS"])
    seen: set[str] = set()
    for number, cell in enumerate(cells):
        assert not {"env", "envFrom"} & set(cell)
        assert cell["image"] != runner["image"]
        assert cell["securityContext"]["runAsUser"] != spec["securityContext"]["runAsUser"]
        mounts = {mount["name"] for mount in cell["volumeMounts"]}
        assert mounts & {mount["name"] for mount in runner["volumeMounts"]} == {f"cell-{number}"}
        assert not mounts & seen
        assert annotations[f"dev.gvisor.spec.mount.cell-{number}.share"] == "pod"
        seen |= mounts


def test_without_isolation_the_values_say_none_explicitly() -> None:
    spec = templates(render("kind"))["Deployment/release-sandbox-runner"]["spec"]
    assert "runtimeClassName" not in spec
    assert len(spec["containers"]) == 1
    assert environment(spec["containers"][0])["UCODER_ISOLATION"] == "none"


@pytest.mark.parametrize("variant", VARIANTS)
def test_selectors_find_their_pods_and_no_others(variant: str) -> None:
    """Each service and each disruption budget selects the pods of one component."""
    labels = {name: template["metadata"]["labels"] for name, template in templates(render(variant)).items()}
    for one in render(variant):
        if one["kind"] == "Service":
            wanted = one["spec"]["selector"]
        elif one["kind"] == "PodDisruptionBudget":
            wanted = one["spec"]["selector"]["matchLabels"]
        else:
            continue
        found = [name for name, has in labels.items() if wanted.items() <= has.items()]
        assert len(found) == 1, (one["kind"], one["metadata"]["name"], found)


@pytest.mark.parametrize("variant", VARIANTS)
def test_what_is_mounted_exists(variant: str) -> None:
    maps = of_kind(render(variant), "ConfigMap")
    for name, spec in pods(variant):
        claimed = {"cache", "data"} if name.startswith("StatefulSet") else set()
        volumes = {volume["name"] for volume in spec.get("volumes", [])} | claimed
        for container in containers(spec):
            mounts = [mount["name"] for mount in container.get("volumeMounts", [])]
            assert set(mounts) <= volumes, (name, container["name"])
            paths = [mount["mountPath"] for mount in container.get("volumeMounts", [])]
            assert len(paths) == len(set(paths)), name
            variables = [one["name"] for one in container.get("env", [])]
            assert len(variables) == len(set(variables)), (name, variables)
        for volume in spec.get("volumes", []):
            if "configMap" in volume:
                assert volume["configMap"]["name"] in maps, name
