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

from .chart import CHART, ROOT, of_kind, render

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
    ):
        family.labels(*["x"] * len(family._labelnames))
    metrics.calls.labels("x", "x")
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
