"""Installs the chart on a real Kubernetes API server, which validates, admits and completes every object."""

import contextlib
import json
import os
import re
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from .chart import CHART, HELM, VARIANTS, Object, flags, render, templates
from .control_plane import Cluster, missing, running

pytestmark = pytest.mark.skipif(
    bool(missing()), reason=f"no {' and no '.join(missing())} on this machine: name their folder in KUBEBUILDER_ASSETS"
)
ELSEWHERE = {
    "ServiceMonitor": "monitoring.coreos.com/v1/servicemonitors",
    "PrometheusRule": "monitoring.coreos.com/v1/prometheusrules",
    "Certificate": "cert-manager.io/v1/certificates",
    "CiliumNetworkPolicy": "cilium.io/v2/ciliumnetworkpolicies",
    "HTTPRoute": "gateway.networking.k8s.io/v1/httproutes",
}
"""Kinds whose definitions we do not have: the server accepts them with any content."""
GVISOR = {"apiVersion": "node.k8s.io/v1", "kind": "RuntimeClass", "metadata": {"name": "gvisor"}, "handler": "runsc"}
WITH_ROLE = ("generator", "trainer")
WITHOUT = ("runs", "test-synth", "sandbox-runner", "consensus", "evaluator", "vllm", "training")
RESTRICTED = {"pod-security.kubernetes.io/enforce": "restricted", "pod-security.kubernetes.io/warn": "restricted"}


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """An API server with the definitions of KEDA, Kueue and JobSet, and with a runtime class `gvisor`, as on GKE."""
    crds = Path(__file__).parents[3] / "shared" / "data" / "crds"
    if not crds.exists():
        pytest.skip("measuring data crds is not on this machine")
    with running(tmp_path_factory.mktemp("cluster")) as found:
        definitions = [
            one for path in sorted(crds.glob("*.yaml")) for one in yaml.safe_load_all(path.read_text()) if one
        ]
        definitions = [one for one in definitions if one["kind"] == "CustomResourceDefinition"]
        definitions += [open_definition(kind, *where.split("/")) for kind, where in ELSEWHERE.items()]
        for one in definitions:
            one.get("spec", {}).pop("conversion", None)  # it needs a webhook, and none runs here
            found.apply(one)
        for one in definitions:
            done = found.kubectl(
                "wait", "--for=condition=Established", "--timeout=60s", f"crd/{one['metadata']['name']}"
            )
            assert done.returncode == 0, done.stderr
        found.apply(GVISOR)
        yield found


def open_definition(kind: str, group: str, version: str, plural: str) -> Object:
    """Returns a resource definition that accepts any content."""
    schema = {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}}
    return {
        "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{plural}.{group}"},
        "spec": {
            "group": group, "scope": "Namespaced",
            "names": {"kind": kind, "plural": plural, "singular": kind.lower()},
            "versions": [{"name": version, "served": True, "storage": True, "schema": schema}],
        },
    }  # fmt: skip


class Installation:
    """A release in a namespace of its own that enforces the restricted Pod Security standard."""

    def __init__(self, cluster: Cluster, namespace: str) -> None:
        self.cluster, self.namespace = cluster, namespace

    def helm(self, *words: str) -> str:
        """Returns the output of Helm, which must succeed without any warning."""
        environment = {"HOME": str(self.cluster.kubeconfig.parent), "PATH": os.environ["PATH"]}
        command = [HELM, *words, "--namespace", self.namespace, "--kubeconfig", str(self.cluster.kubeconfig)]
        done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
        assert done.returncode == 0, done.stderr
        assert not done.stderr, done.stderr
        return done.stdout

    def objects(self) -> tuple[Object, ...]:
        """Returns all objects of the release, hooks included."""
        text = "\n---\n".join(self.helm("get", what, "release") for what in ("manifest", "hooks"))
        return tuple(one for one in yaml.load_all(text, yaml.CSafeLoader) if one)

    def get(self, kind: str, name: str) -> Object:
        """Returns an object as the server has it."""
        done = self.cluster.kubectl("-n", self.namespace, "get", kind, name, "-o", "json")
        assert done.returncode == 0, done.stderr
        found: Object = json.loads(done.stdout)
        return found

    def may(self, account: str, verb: str, group: str, resource: str, name: str = "") -> bool:
        """Returns whether a service account may do something, by the server's own authorizer."""
        resource, _, part = resource.partition("/")
        asked = {"namespace": self.namespace, "verb": verb, "group": group, "resource": resource, "name": name}
        user = f"system:serviceaccount:{self.namespace}:release-{account}"
        answer = self.cluster.client.post(
            "/apis/authorization.k8s.io/v1/subjectaccessreviews",
            json={
                "apiVersion": "authorization.k8s.io/v1", "kind": "SubjectAccessReview",
                "spec": {"user": user, "resourceAttributes": {**asked, "subresource": part}},
            },
        )  # fmt: skip
        return bool(answer.raise_for_status().json()["status"]["allowed"])


@contextlib.contextmanager
def installed(cluster: Cluster, variant: str) -> Iterator[Installation]:
    """Installs a variant, and uninstalls it when the block ends."""
    installation = Installation(cluster, f"v{list(VARIANTS).index(variant)}-{time.monotonic_ns()}")
    cluster.apply(
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": installation.namespace, "labels": RESTRICTED}}
    )
    # Helm waits for hooks, which are Jobs that no controller runs here. They are applied like all other objects.
    installation.helm("install", "release", str(CHART), "--no-hooks", *flags(variant))
    yield installation
    installation.helm("uninstall", "release", "--no-hooks")


@pytest.mark.parametrize("variant", VARIANTS)
def test_the_server_takes_every_object(cluster: Cluster, variant: str) -> None:
    """Helm installs all objects, none has an unknown field, and each pod passes the restricted security standard."""
    with installed(cluster, variant) as release:
        objects = release.objects()
        made = {(one["kind"], one["metadata"]["name"]) for one in objects}
        rendered = {one["metadata"]["name"] for one in render(variant)}
        assert {name for _, name in made} == {re.sub("^space-", f"{release.namespace}-", name) for name in rendered}
        inner = [yaml.safe_load(one["data"]["job.yaml"]) for one in objects if "job.yaml" in one.get("data", {})]
        for one in (*objects, *inner):
            cluster.apply(one, release.namespace, dry=True)
        for name, template in templates(objects).items():
            word = name.lower().replace("/", "-")
            pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {**template["metadata"], "name": word}}
            cluster.apply({**pod, "spec": pod_spec(template["spec"])}, release.namespace, dry=True)


def pod_spec(spec: Object) -> Object:
    """Returns the spec of a template's pod, with the claimed volumes that a StatefulSet's controller adds."""
    mounted = {mount["name"] for one in every_container(spec) for mount in one.get("volumeMounts", [])}
    claimed = mounted - {volume["name"] for volume in spec.get("volumes", [])}
    claims = [{"name": name, "persistentVolumeClaim": {"claimName": name}} for name in sorted(claimed)]
    return {**spec, "volumes": [*spec.get("volumes", []), *claims]}


def every_container(spec: Object) -> list[Object]:
    return [*spec["containers"], *spec.get("initContainers", [])]


def test_a_pod_with_more_rights_is_refused(cluster: Cluster) -> None:
    """The namespaces of the tests above really enforce the standard."""
    with installed(cluster, "kind") as release:
        spec = {"containers": [{"name": "one", "image": "one"}]}
        pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "one"}, "spec": spec}
        with pytest.raises(AssertionError, match="violates PodSecurity"):
            cluster.apply(pod, release.namespace, dry=True)
        with pytest.raises(AssertionError, match=r"field not declared in schema|unknown field"):
            cluster.apply({**pod, "spec": {**spec, "contaniers": []}}, release.namespace, dry=True)


def test_an_upgrade_leaves_the_served_checkpoint_and_the_autoscaler_s_pods_alone(cluster: Cluster) -> None:
    """An upgrade of another service's values restarts neither the bus nor the model server."""
    with installed(cluster, "keda") as release:
        patch = {"spec": {"template": {"metadata": {"annotations": {"ucoder.dev/checkpoint": "store:r/weights/002"}}}}}
        for words in (
            ("patch", "statefulset", "release-vllm", "--type", "merge", "-p", json.dumps(patch)),
            ("scale", "deployment/release-sandbox-runner", "--replicas", "7"),
        ):
            done = cluster.kubectl("-n", release.namespace, *words)
            assert done.returncode == 0, done.stderr
        before = {name: release.get("statefulset", f"release-{name}") for name in ("nats", "vllm")}
        release.helm(
            "upgrade", "release", str(CHART), "--no-hooks", *flags("keda"), "--set", "services.runs.replicas=2"
        )
        assert release.get("deployment", "release-runs")["spec"]["replicas"] == 2
        assert release.get("deployment", "release-sandbox-runner")["spec"]["replicas"] == 7
        for name, was in before.items():
            assert (
                release.get("statefulset", f"release-{name}")["metadata"]["generation"] == was["metadata"]["generation"]
            )
        release.helm("rollback", "release", "1", "--no-hooks")
        assert release.get("deployment", "release-runs")["spec"]["replicas"] == 1
        annotations = release.get("statefulset", "release-vllm")["spec"]["template"]["metadata"]["annotations"]
        assert annotations == {"ucoder.dev/checkpoint": "store:r/weights/002"}


def test_an_uninstallation_leaves_the_store(cluster: Cluster) -> None:
    with installed(cluster, "defaults") as release:
        pass
    done = cluster.kubectl("-n", release.namespace, "get", "all,pvc,secret,role,networkpolicy,pdb", "-o", "name")
    assert done.stdout.split() == ["persistentvolumeclaim/release-store"]


def test_accounts_may_what_they_need_and_nothing_else(cluster: Cluster) -> None:
    with installed(cluster, "training job") as release:
        assert release.may("generator", "patch", "apps", "statefulsets", "release-vllm")
        assert release.may("generator", "list", "", "pods")
        assert release.may("trainer", "create", "batch", "jobs")
        assert release.may("trainer", "get", "", "pods/log")
        for account, verb, group, resource, name in (
            ("generator", "patch", "apps", "statefulsets", "release-nats"),
            ("generator", "create", "batch", "jobs", ""),
            ("trainer", "patch", "apps", "statefulsets", "release-vllm"),
            ("trainer", "create", "", "pods", ""),
            *((one, "get", "", "secrets", "") for one in (*WITH_ROLE, *WITHOUT)),
            *((one, "list", "", "pods", "") for one in WITHOUT),
        ):  # fmt: skip
            assert not release.may(account, verb, group, resource, name), (account, verb, resource)
