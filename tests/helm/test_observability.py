"""Checks that dashboard and alerts use metrics that exist, and that the alerts fire when they should."""

import json
import re
import runpy
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml
from prometheus_client import generate_latest

from ucoder.runtime.metrics import Metrics

from .chart import CHART, ROOT, of_kind, render, templates

RULES = yaml.safe_load((CHART / "files" / "alerts.yaml").read_text())
NAME = re.compile(r"\bucoder_[a-z_]+")


def existing() -> set[str]:
    """Returns the names of all samples that our processes export."""
    metrics = Metrics()
    for family in (
        metrics.messages,
        metrics.message_seconds,
        metrics.wait_seconds,
        metrics.in_hand,
        metrics.briefs,
        metrics.queue_messages,
        metrics.queue_oldest,
        metrics.disk_free,
    ):
        family.labels(*["x"] * len(family._labelnames))
    metrics.calls.labels("x", "x")
    metrics.http_requests.labels("x", "x", "x")
    metrics.call_seconds.labels("x")
    return set(NAME.findall(generate_latest(metrics.registry).decode()))


def test_the_dashboard_is_what_its_source_makes() -> None:
    made = runpy.run_path(str(ROOT / "deploy" / "dashboard.py"))["dashboard"]()
    assert json.loads((CHART / "files" / "dashboard.json").read_text()) == made


@pytest.mark.parametrize("file", ["dashboard.json", "alerts.yaml"])
def test_only_metrics_that_exist_are_asked_for(file: str) -> None:
    text = (CHART / "files" / file).read_text()
    queries = re.findall(r'"expr": "(.*)"|expr: ((?:.*)(?:\n {10,}.*)*)', text)
    asked = {name for query in queries for name in NAME.findall(" ".join(query))}
    assert len(asked) >= 3
    assert asked <= existing()


def test_every_alert_has_its_section_in_the_runbook() -> None:
    rules = [one for group in RULES["groups"] for one in group["rules"]]
    linked = {rule["alert"]: rule["annotations"]["runbook"] for rule in rules if "alert" in rule}
    page = ROOT / "docs" / "guides" / "alerts.md"
    assert re.findall(r"^## (\w+)$", page.read_text(), re.MULTILINE) == list(linked)
    assert linked == {name: f"{page.relative_to(ROOT)}#{name.lower()}" for name in linked}


def test_what_is_recorded_is_used_or_described() -> None:
    """The dashboard, the alerts and the page of alerts name recorded series, and only those that are recorded."""
    recorded = {rule["record"] for group in RULES["groups"] for rule in group["rules"] if "record" in rule}
    page = (ROOT / "docs" / "guides" / "alerts.md").read_text()
    texts = [page, (CHART / "files" / "dashboard.json").read_text()]
    texts += [rule["expr"] for group in RULES["groups"] for rule in group["rules"]]
    assert {name for text in texts for name in re.findall(r"\bucoder:[a-z0-9_]+(?::\w+)?", text)} == recorded
    assert all(name in page for name in recorded)


def test_the_exporter_of_nats_is_optional_and_scraped() -> None:
    def containers(variant: str) -> list[str]:
        spec = templates(render(variant))["StatefulSet/release-nats"]["spec"]
        return [one["name"] for one in spec["containers"]]

    assert containers("defaults") == ["nats"]
    assert containers("observed") == ["nats", "exporter"]
    service = of_kind(render("observed"), "Service")["release-nats-headless"]
    assert {"name": "metrics", "port": 7777, "targetPort": "metrics"} in service["spec"]["ports"]
    monitor = of_kind(render("observed"), "ServiceMonitor")["release-metrics"]["spec"]
    assert [one["port"] for one in monitor["endpoints"]] == ["metrics"]
    assert monitor["selector"]["matchLabels"].items() <= service["metadata"]["labels"].items()
    policy = of_kind(render("observed"), "NetworkPolicy")["release-nats"]["spec"]
    assert 7777 in [port["port"] for rule in policy["ingress"] for port in rule["ports"]]


def test_the_chart_s_own_hpa_asks_for_a_metric_that_exists() -> None:
    found = of_kind(render("hpa"), "HorizontalPodAutoscaler")
    names = {metric["pods"]["metric"]["name"] for one in found.values() for metric in one["spec"]["metrics"]}
    assert names
    assert names <= existing()


def test_the_rule_object_holds_the_rules() -> None:
    (rule,) = of_kind(render("observed"), "PrometheusRule").values()
    assert rule["spec"] == yaml.safe_load((CHART / "files" / "alerts.yaml").read_text())


@pytest.mark.skipif(not shutil.which("promtool"), reason="promtool is not on this machine (Debian: prometheus)")
def test_the_alerts_fire_when_they_should(tmp_path: Path) -> None:
    shutil.copy(CHART / "files" / "alerts.yaml", tmp_path)
    shutil.copy(Path(__file__).with_name("alerts_test.yaml"), tmp_path)
    done = subprocess.run(
        ["promtool", "test", "rules", "alerts_test.yaml"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
