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
    edges.add(("gateway", "vllm", 8000))
    edges |= {(call.caller.replace("_", "-"), call.callee.replace("_", "-"), 7070) for call in CALLS}
    for name in SERVICES:
        component = name.replace("_", "-")
        edges.add((component, "nats", 4222))
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
    assert edges("gateway", "egress") == derived()
    assert edges("gateway", "ingress") == derived()
    assert edges("defaults", "egress") == {edge for edge in derived() if edge[0] != "gateway"}


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


def ranges(variant: str, component: str) -> dict[tuple[int, ...], list[Object]]:
    """Returns the address ranges that a component may reach, by the ports of the rule."""
    found: dict[tuple[int, ...], list[Object]] = {}
    for rule in policies(variant)[component].get("egress", []):
        ports = tuple(one["port"] for one in rule.get("ports", []))
        if blocks := [peer["ipBlock"] for peer in rule["to"] if "ipBlock" in peer]:
            found.setdefault(ports, []).extend(blocks)
    return found


@pytest.mark.parametrize("variant", [one for one in VARIANTS if one != "bare"])
def test_no_target_is_every_address_but_the_api_server(variant: str) -> None:
    """Private networks, other pods and the metadata server of a cloud are no part of the internet."""
    for component in policies(variant):
        for ports, blocks in ranges(variant, component).items():
            for block in blocks:
                if block["cidr"] in ("0.0.0.0/0", "::/0"):
                    assert ports == (443, 6443) or block["except"], (component, ports)


def test_a_target_is_narrowed_to_ranges_of_addresses() -> None:
    for component in ("runs", "sandbox-runner", "trainer"):
        assert ranges("external everything", component)[443,] == [{"cidr": "198.51.100.0/24"}]
    public = ranges("external everything", "evaluator")[443,]  # the model server is not named
    assert [block["cidr"] for block in public] == ["198.51.100.0/24", "0.0.0.0/0", "::/0"]


def test_cilium_knows_names_and_the_api_server() -> None:
    spec = {one["metadata"]["name"]: one["spec"] for one in of_kind(render("cilium"), "CiliumNetworkPolicy").values()}
    reached = {name: [{**rule} for rule in one["egress"][1:]] for name, one in spec.items()}
    web = [{"ports": [{"port": "443", "protocol": "TCP"}]}]
    store = {"toFQDNs": [{"matchName": "s3.example.com"}], "toPorts": web}
    assert reached["release-runs-names"] == [store]
    assert reached["release-training-names"] == [store]
    assert reached["release-vllm-names"][0]["toFQDNs"] == [{"matchName": "huggingface.co"}, {"matchPattern": "*.hf.co"}]
    assert reached["release-generator-names"][1]["toEntities"] == ["kube-apiserver"]
    assert set(reached) == {f"release-{name}-names" for name in (*KNOWN, "training", "vllm")}
    for component in policies("cilium"):
        assert not set(ranges("cilium", component)) - {(53, 53)}, component  # the name server on each node
        rules = policies("cilium")[component].get("egress", [])
        assert all(rule["to"] for rule in rules), component


def test_every_service_and_every_server_has_both_families() -> None:
    for name, one in of_kind(render("dual stack"), "Service").items():
        assert (one["spec"]["ipFamilyPolicy"], one["spec"]["ipFamilies"]) == ("PreferDualStack", ["IPv6", "IPv4"]), name
    text = str([one for one in render("dual stack") if one["kind"] in ("Deployment", "StatefulSet")])
    assert "0.0.0.0" not in text
    assert all(f"'{word}'" in text for word in ("[::]:7070", "[::]:7071", "[::]:8080", "--host=::"))
    assert not [one for one in of_kind(render("defaults"), "Service").values() if "ipFamilyPolicy" in one["spec"]]


def test_every_pod_has_its_policy() -> None:
    from .chart import templates

    for variant in VARIANTS:
        if variant != "bare":
            labelled = {one["metadata"]["labels"][COMPONENT] for one in templates(render(variant)).values()}
            assert labelled <= set(policies(variant)), variant
