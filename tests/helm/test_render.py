"""Checks the objects of every values file and feature against the schemas of real Kubernetes versions."""

import json

import jsonschema
import kubernetes_validate
import pytest
import yaml

from . import crd
from .chart import CHART, FILES, VARIANTS, Object, flags, helm, render

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
    return "." not in group or (group.endswith(".k8s.io") and not group.startswith(("kueue.", "jobset.")))


@pytest.mark.parametrize("variant", VARIANTS)
def test_lint_is_strict(variant: str) -> None:
    done = helm("lint", "--strict", str(CHART), *flags(variant))
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("variant", "version"), [(one, version) for one in (*VARIANTS, *COMBINED) for version in versions(one)]
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
    }


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


def test_two_releases_share_no_object() -> None:
    def names(release: str) -> set[tuple[str, str]]:
        done = helm("template", release, str(CHART))
        return {(one["kind"], one["metadata"]["name"]) for one in yaml.safe_load_all(done.stdout) if one}

    assert not names("first") & names("second")


def test_it_packages(tmp_path) -> None:
    done = helm("package", str(CHART), "--destination", str(tmp_path))
    assert done.returncode == 0, done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["ucoder-0.1.0.tgz"]
