"""Checks that the table of docs/reference/network.md, flow.py and the network policies have the same connections."""

import re

import pytest

from ucoder.flow import CALLS, SERVICES, arrows_of

from .chart import ROOT, VARIANTS, Object, of_kind, render
from .test_flow import KNOWN

Edge = tuple[str, str, int]
COMPONENT = "app.kubernetes.io/component"


def documented() -> dict[Edge, str]:
    """Returns the connections of the first table of the page, each with its purpose."""
    text = (ROOT / "docs" / "reference" / "network.md").read_text().partition("Beside these")[0]
    rows = re.findall(r"^\| ([\w-]+) \| ([\w-]+) \| (\d+) \| (.+) \|$", text, re.MULTILINE)
    return {(source, target, int(port)): why for source, target, port, why in rows}


def derived() -> set[Edge]:
    """Returns the connections that flow.py asks for."""
    edges: set[Edge] = {("declare", "nats", 4222), ("nats", "nats", 6222), ("test", "consensus", 7070)}
    for name in SERVICES:
        component = name.replace("_", "-")
        edges.add((component, "nats", 4222))
        edges |= {(component, call.callee.replace("_", "-"), 7070) for call in CALLS if call.caller == name}
        edges |= {(component, "vllm", 8000)} if KNOWN[component]["model"] else set()
    return edges


def policies(variant: str) -> dict[str, Object]:
    """Returns the policies' specs by component."""
    found = {}
    for one in of_kind(render(variant), "NetworkPolicy").values():
        component = one["spec"]["podSelector"]["matchLabels"].get(COMPONENT)
        if component:
            found[component] = one["spec"]
    return found


def edges(variant: str, side: str) -> set[Edge]:
    """Returns the connections between components that one side of the policies allows: egress or ingress."""
    found: set[Edge] = set()
    for component, spec in policies(variant).items():
        for rule in spec.get(side, []):
            for peer in rule["to" if side == "egress" else "from"]:
                other = peer.get("podSelector", {}).get("matchLabels", {}).get(COMPONENT)
                for port in rule.get("ports", []):
                    if other:
                        found.add(
                            (component, other, port["port"]) if side == "egress" else (other, component, port["port"])
                        )
    return found


def test_the_table_is_what_the_flow_asks_for() -> None:
    assert set(documented()) == derived()


@pytest.mark.parametrize("service", SERVICES)
def test_the_table_names_the_arrows(service: str) -> None:
    named = documented()[service.replace("_", "-"), "nats", 4222].split(", ")
    assert named == [arrow.name for arrow in arrows_of(service)]


def test_the_policies_are_the_table_at_both_ends() -> None:
    assert edges("defaults", "egress") == derived()
    assert edges("defaults", "ingress") == derived()


@pytest.mark.parametrize("variant", [one for one in VARIANTS if one != "bare"])
def test_everything_is_denied_first(variant: str) -> None:
    deny = of_kind(render(variant), "NetworkPolicy")["release-default-deny"]["spec"]
    assert deny["policyTypes"] == ["Ingress", "Egress"]
    assert not {"ingress", "egress"} & set(deny)
    everybody = deny["podSelector"]["matchLabels"]
    for component, spec in policies(variant).items():
        assert everybody.items() <= spec["podSelector"]["matchLabels"].items()
        assert spec["policyTypes"] == ["Ingress", "Egress"], component


@pytest.mark.parametrize("variant", ["defaults", "gke", "production", "external everything"])
def test_the_sandbox_reaches_the_bus_and_the_store_and_nothing_else(variant: str) -> None:
    allowed = {53, 4222, 443} | ({80, 988} if variant == "gke" else set())
    for rule in policies(variant)["sandbox-runner"]["egress"]:
        assert {port["port"] for port in rule["ports"]} <= allowed


def test_every_pod_has_its_policy() -> None:
    from .chart import templates

    for variant in VARIANTS:
        if variant != "bare":
            labelled = {one["metadata"]["labels"][COMPONENT] for one in templates(render(variant)).values()}
            assert labelled <= set(policies(variant)), variant
