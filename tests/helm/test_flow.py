"""Checks that the chart agrees with the code: its services, arrows, calls between services, and settings."""

import ast
import json
from pathlib import Path

import pytest
import yaml

from ucoder.flow import CALLS, FLOW, SERVICES, arrows_of
from ucoder.runtime.settings import PREFIX, Settings, load

from .chart import CHART, ROOT, VARIANTS, environment, of_kind, render, templates

ELSEWHERE = {"model_command", "sandbox_packages", "kubernetes_url", "kubernetes_namespace"}
"""Settings for use outside a cluster. Inside, the model server is a pod, the sandbox image has the packages, and a pod
knows its API server and namespace."""
KNOWN = yaml.safe_load((CHART / "files" / "flow.yaml").read_text())


def uses_model(package: Path) -> bool:
    """Returns whether a service opens the model, from its source."""
    nodes = [node for path in package.rglob("*.py") for node in ast.walk(ast.parse(path.read_text()))]
    return any(isinstance(node, ast.Call) and ast.unparse(node.func) == "model_of" for node in nodes)


def test_the_services_are_the_flow_s() -> None:
    assert list(KNOWN) == [name.replace("_", "-") for name in SERVICES]


@pytest.mark.parametrize("service", SERVICES)
def test_each_has_its_arrows_and_their_bounds(service: str) -> None:
    assert KNOWN[service.replace("_", "-")]["arrows"] == {arrow.name: arrow.bound for arrow in arrows_of(service)}


@pytest.mark.parametrize("service", SERVICES)
def test_each_calls_the_model_and_the_services_that_its_code_calls(service: str) -> None:
    known = KNOWN[service.replace("_", "-")]
    assert known["model"] == uses_model(ROOT / "services" / "ucoder" / service)
    assert known["calls"] == [call.callee.replace("_", "-") for call in CALLS if call.caller == service]


@pytest.mark.parametrize("variant", VARIANTS)
def test_each_service_is_deployed_and_started_by_its_name(variant: str) -> None:
    deployments = of_kind(render(variant), "Deployment")
    components = {one["metadata"]["labels"]["app.kubernetes.io/component"] for one in deployments.values()}
    assert components - {"gateway"} == set(KNOWN)
    assert ("gateway" in components) is (variant in ("gateway", "extended", "dual stack"))
    for one in deployments.values():
        component = one["metadata"]["labels"]["app.kubernetes.io/component"]
        assert one["spec"]["template"]["spec"]["containers"][0]["args"] == ["serve", component]


@pytest.mark.parametrize("variant", VARIANTS)
def test_every_variable_is_a_setting_with_a_value_it_takes(variant: str) -> None:
    """A mistyped variable would stop a service when it starts."""
    for name, template in templates(render(variant)).items():
        for container in [*template["spec"]["containers"], *template["spec"].get("initContainers", [])]:
            ours = {key: value for key, value in environment(container).items() if key.startswith(PREFIX)}
            load({key: value for key, value in ours.items() if value})
            assert all(value or key == "UCODER_MODEL_API_KEY" for key, value in ours.items()), name


def test_a_setting_is_either_offered_by_the_values_schema_or_decided_by_the_chart() -> None:
    offered = set(json.loads((CHART / "values.schema.json").read_text())["$defs"]["settings"]["propertyNames"]["enum"])
    decided: set[str] = set()
    for variant in VARIANTS:
        for template in templates(render(variant)).values():
            for container in template["spec"]["containers"]:
                decided |= {key.removeprefix(PREFIX).lower() for key in environment(container) if PREFIX in key}
    assert offered <= set(Settings.model_fields)
    missing = set(Settings.model_fields) - offered - decided - ELSEWHERE
    assert not missing, f"add {missing} to $defs.settings of values.schema.json, or render them"


def test_peers_are_the_services_names_in_the_release() -> None:
    deployments = of_kind(render("defaults"), "Deployment")
    services = of_kind(render("defaults"), "Service")
    for component, known in KNOWN.items():
        peers = environment(deployments[f"release-{component}"]["spec"]["template"]["spec"]["containers"][0]).get(
            "UCODER_PEERS", ""
        )
        entries = dict(entry.split("=") for entry in peers.split(",") if entry)
        assert set(entries) == {name.replace("-", "_") for name in known["calls"]}
        for address in entries.values():
            host, port = address.split(":")
            service = services[host.split(".")[0]]
            assert host.split(".")[1:] == ["space", "svc"]
            assert int(port) in [one["port"] for one in service["spec"]["ports"]]


def test_every_arrow_of_a_scaled_service_has_its_trigger() -> None:
    for name, one in of_kind(render("production"), "ScaledObject").items():
        service = name.removeprefix("release-").replace("-", "_")
        consumers = {trigger["metadata"]["consumer"] for trigger in one["spec"]["triggers"]}
        assert consumers == {arrow.name for arrow in FLOW if arrow.service == service}
