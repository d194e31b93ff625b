"""Checks the objects of every values file and feature against the schemas of real Kubernetes versions."""

import json
from collections.abc import Callable

import jsonschema
import kubernetes_validate
import pytest
import yaml

from . import crd
from .chart import CHART, FILES, VARIANTS, Object, flags, helm, of_kind, render

VERSIONS = ("1.30", "1.31", "1.32", "1.33", "1.34", "1.35")
FEATURES = tuple(one for one in VARIANTS if one not in FILES)
COMBINED = tuple(f"{file} + {feature}" for file in FILES[1:] for feature in FEATURES)
"""Each feature on top of each values file. On top of the defaults it is a variant itself."""
ELSEWHERE = {"monitoring.coreos.com/v1", "cert-manager.io/v1"}  # we have no schemas for these
_seen: set[str] = set()


def not_yet_checked(objects: tuple[Object, ...], version: str) -> list[Object]:
    """Returns the objects that were not checked against this version yet, because variants share most objects."""
    keys = {f"{version} {json.dumps(one, sort_keys=True)}": one for one in objects}
    new = [one for key, one in keys.items() if key not in _seen]
    _seen.update(keys)
    return new


def versions(variant: str) -> tuple[str, ...]:
    """Returns the Kubernetes versions that have the features of a variant."""
    return VERSIONS[VERSIONS.index("1.32") :] if variant.endswith("resource claims") else VERSIONS


def with_training_template(objects: tuple[Object, ...]) -> tuple[Object, ...]:
    """Returns the objects, together with those inside the training template."""
    inner = [yaml.safe_load(one["data"]["job.yaml"]) for one in objects if "job.yaml" in one.get("data", {})]
    return (*objects, *inner)


def builtin(one: Object) -> bool:
    group = one["apiVersion"].partition("/")[0]
    return "." not in group or (group.endswith(".k8s.io") and not group.startswith(("kueue.", "jobset.", "gateway.")))


@pytest.mark.parametrize("variant", VARIANTS)
def test_lint_is_strict(variant: str) -> None:
    done = helm("lint", "--strict", str(CHART), *flags(variant))
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("variant", "version"),
    [
        *((one, version) for one in VARIANTS for version in versions(one)),
        *((one, version) for one in COMBINED for version in (versions(one)[0], versions(one)[-1])),
    ],
)
def test_objects_are_valid_strictly(variant: str, version: str) -> None:
    for one in not_yet_checked(tuple(filter(builtin, with_training_template(render(variant)))), version):
        try:
            kubernetes_validate.validate(one, version, strict=True)
        except kubernetes_validate.ValidationError as error:
            raise AssertionError(f"{one['kind']} {one['metadata']['name']}: {error.message} at {error.path}") from None


@pytest.mark.parametrize("variant", [*VARIANTS, *COMBINED])
def test_custom_resources_are_valid_strictly(variant: str, shared_data) -> None:
    known = crd.schemas(shared_data("crds"))
    for one in with_training_template(render(variant)):
        key = one["apiVersion"], one["kind"]
        if key in known or not (builtin(one) or one["apiVersion"] in ELSEWHERE):
            jsonschema.validate(one, known[key])


def test_the_variants_use_every_custom_resource_kind() -> None:
    kinds = {one["kind"] for variant in VARIANTS for one in with_training_template(render(variant)) if not builtin(one)}
    assert kinds == {
        "ScaledObject",
        "LocalQueue",
        "JobSet",
        "TrainJob",
        "TrainingRuntime",
        "ServiceMonitor",
        "PrometheusRule",
        "Certificate",
        "CiliumNetworkPolicy",
        "HTTPRoute",
    }


def test_every_values_file_of_the_chart_is_a_variant() -> None:
    """So each file is rendered, linted and validated strictly."""
    files = {str(path.relative_to(CHART)) for path in (*CHART.glob("ci/*.yaml"), *CHART.glob("values-*.yaml"))}
    assert files == {one for values in VARIANTS.values() for one in values if one.endswith(".yaml")}


def test_a_crd_schema_refuses_what_it_does_not_name(shared_data) -> None:
    known = crd.schemas(shared_data("crds"))["keda.sh/v1alpha1", "ScaledObject"]
    one = next(one for one in render("keda") if one["kind"] == "ScaledObject")
    jsonschema.validate(one, known)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({**one, "spec": {**one["spec"], "minReplicas": 1}}, known)


@pytest.mark.parametrize("variant", VARIANTS)
def test_no_object_is_made_twice(variant: str) -> None:
    names = [(one["kind"], one["metadata"]["name"]) for one in render(variant)]
    assert len(names) == len(set(names))


@pytest.mark.parametrize("variant", [one for one in VARIANTS if one not in ("bare", "extended")])
def test_two_releases_share_no_object(variant: str) -> None:
    """Releases in one namespace have other names; objects of the cluster differ even if only the namespace does."""

    def names(release: str, namespace: str, kept: Callable[[Object], bool]) -> set[tuple[str, str]]:
        done = helm("template", release, str(CHART), "--namespace", namespace, *flags(variant))
        objects = [one for one in yaml.load_all(done.stdout, yaml.CSafeLoader) if one and kept(one)]
        return {(one["kind"], one["metadata"]["name"]) for one in objects}

    def all_but_the_named_queue(one: Object) -> bool:
        return bool(one["kind"] != "LocalQueue")

    def of_the_cluster(one: Object) -> bool:
        return "namespace" not in one["metadata"]

    assert not names("first", "space", all_but_the_named_queue) & names("second", "space", all_but_the_named_queue)
    made = names("release", "one", of_the_cluster)
    assert not made & names("release", "other", of_the_cluster)
    assert bool(made) is bool(of_kind(render(variant), "RuntimeClass"))


def test_it_packages(tmp_path) -> None:
    done = helm("package", str(CHART), "--destination", str(tmp_path))
    assert done.returncode == 0, done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["ucoder-0.1.0.tgz"]
