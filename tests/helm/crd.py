"""Turns CustomResourceDefinitions into strict JSON schemas."""

import functools
from pathlib import Path
from typing import Any

import yaml

JOB_SET = ("jobset.x-k8s.io/v1alpha2", "JobSet")
KUBEFLOW = "trainer.kubeflow.org/v1alpha1"


@functools.cache
def schemas(folder: Path) -> dict[tuple[str, str], dict[str, Any]]:
    """Returns (apiVersion, kind) -> the schema by which an API server checks an object; it refuses unknown fields."""
    found = {}
    for path in folder.glob("*.yaml"):
        for document in yaml.load_all(path.read_text(), yaml.CSafeLoader):
            if document and document["kind"] == "CustomResourceDefinition":
                spec = document["spec"]
                for version in spec["versions"]:
                    key = f"{spec['group']}/{version['name']}", spec["names"]["kind"]
                    found[key] = strict(version["schema"]["openAPIV3Schema"])
                    found[key]["properties"]["metadata"] = {"type": "object"}
    found |= networks()
    if jobset := found.get(JOB_SET):
        found |= kubeflow(jobset["properties"]["spec"])
    return found


def networks() -> dict[tuple[str, str], dict[str, Any]]:
    """Returns schemas for the parts of Cilium's and the Gateway API that we use."""
    named = {"apiVersion": {}, "kind": {}, "metadata": {"type": "object"}}
    selector = closed(matchLabels={"type": "object", "additionalProperties": {"type": "string"}})
    port = closed(port={"type": "string"}, protocol={"enum": ["TCP", "UDP", "ANY"]})
    names = listed(closed(matchName={"type": "string"}, matchPattern={"type": "string"}))
    to_ports = listed(closed(ports=listed(port), rules=closed(dns=names)))
    entities = listed({"enum": ["kube-apiserver"]})
    egress = closed(toEndpoints=listed(selector), toFQDNs=names, toEntities=entities, toPorts=to_ports)
    reference = closed(name={"type": "string"}, namespace={"type": "string"}, port={"type": "integer"})
    rule = closed(backendRefs=listed(reference))
    route = closed(parentRefs=listed(reference), hostnames=listed({"type": "string"}), rules=listed(rule))
    return {
        ("cilium.io/v2", "CiliumNetworkPolicy"): closed(
            **named, spec=closed(endpointSelector=selector, egress=listed(egress))
        ),
        ("gateway.networking.k8s.io/v1", "HTTPRoute"): closed(**named, spec=route),
    }


def listed(items: dict[str, Any]) -> dict[str, Any]:
    """Returns the schema of a list with at least one item."""
    return {"type": "array", "items": items, "minItems": 1}


def kubeflow(jobset: dict[str, Any]) -> dict[tuple[str, str], dict[str, Any]]:
    """Returns schemas for the parts of Kubeflow Trainer's API that we use; a runtime holds a JobSet's spec."""
    train_job = {
        "runtimeRef": closed(name={"type": "string"}, kind={"enum": ["TrainingRuntime"]}),
        "trainer": closed(env={"type": "array", "items": closed(name={"type": "string"}, value={"type": "string"})}),
        "suspend": {"type": "boolean"},
    }
    runtime = {"mlPolicy": closed(numNodes={"type": "integer"}), "template": closed(spec=jobset)}
    named = {"apiVersion": {}, "kind": {}, "metadata": {"type": "object"}}
    return {
        (KUBEFLOW, "TrainJob"): closed(**named, spec=closed(**train_job)),
        (KUBEFLOW, "TrainingRuntime"): closed(**named, spec=closed(**runtime)),
    }


def closed(**properties: Any) -> dict[str, Any]:
    """Returns the schema of an object with these properties and no other."""
    return {"type": "object", "properties": properties, "additionalProperties": False}


def strict(node: Any) -> Any:
    """Returns an OpenAPI schema as JSON Schema: int-or-string, nullable, and no property that is not named."""
    if isinstance(node, list):
        return [strict(one) for one in node]
    if not isinstance(node, dict):
        return node
    made = {key: strict(value) for key, value in node.items() if not (key.startswith("x-") or key == "nullable")}
    if node.get("x-kubernetes-int-or-string"):
        made.pop("type", None)
        made["anyOf"] = [{"type": "integer"}, {"type": "string"}]
    if node.get("nullable") and isinstance(made.get("type"), str):
        made["type"] = [made["type"], "null"]
    closed = isinstance(node.get("properties"), dict) and node.get("type") == "object"
    if closed and "additionalProperties" not in node and not node.get("x-kubernetes-preserve-unknown-fields"):
        made["additionalProperties"] = False
    return made
