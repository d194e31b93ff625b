"""The Grafana dashboard as code. `python deploy/dashboard.py > helm/ucoder/files/dashboard.json` writes it."""

import json
from typing import Any

WIDTH, HEIGHT = 8, 8
Panel = tuple[str, str, str, str]  # title, unit, legend, query

PANELS: list[Panel] = [
    (
        "Messages that wait", "short", "{{arrow}}",
        'max by (arrow) (ucoder_queue_messages{state="waiting"})',
    ),
    ("Age of the oldest message", "s", "{{arrow}}", "max by (arrow) (ucoder_queue_oldest_seconds)"),
    (
        "Messages that were delivered more than once", "short", "{{arrow}}",
        'max by (arrow) (ucoder_queue_messages{state="redelivered"})',
    ),
    ("Dead letters", "short", "dead letters", "max(ucoder_dead_letters)"),
    ("Bytes that the bus stores", "bytes", "stored", "max(ucoder_bus_bytes)"),
    ("Free share of the disks", "percentunit", "{{folder}}", "min by (folder) (ucoder_disk_free_ratio)"),
    (
        "Time until a new checkpoint was served, median", "s", "switch",
        "histogram_quantile(0.5, sum by (le) (rate(ucoder_checkpoint_switch_seconds_bucket[$__rate_interval])))",
    ),
    ("Requests at the model server", "short", "requests", "sum(ucoder_model_requests)"),
    ("Model server idle while messages wait", "percentunit", "{{arrow}}", "ucoder:model_idle_while_waiting"),
    (
        "Messages finished per second", "ops", "{{arrow}}",
        "sum by (arrow) (rate(ucoder_messages_total[$__rate_interval]))",
    ),
    ("Messages being worked on", "short", "{{arrow}}", "sum by (arrow) (ucoder_messages_in_hand)"),
    (
        "Messages not done, by outcome, per second", "ops", "{{arrow}} {{outcome}}",
        'sum by (arrow, outcome) (rate(ucoder_messages_total{outcome!="done"}[$__rate_interval]))',
    ),
    (
        "Time to process a message, median", "s", "{{arrow}}",
        "histogram_quantile(0.5, sum by (le, arrow) (rate(ucoder_message_seconds_bucket[$__rate_interval])))",
    ),
    (
        "Time to process a message, 99th percentile", "s", "{{arrow}}",
        "histogram_quantile(0.99, sum by (le, arrow) (rate(ucoder_message_seconds_bucket[$__rate_interval])))",
    ),
    (
        "Time a message waits on the bus, 99th percentile", "s", "{{arrow}}",
        "histogram_quantile(0.99, sum by (le, arrow) (rate(ucoder_message_wait_seconds_bucket[$__rate_interval])))",
    ),
    ("Briefs ended", "short", "{{ending}} {{reason}}", "sum by (ending, reason) (ucoder_briefs_ended_total)"),
    (
        "gRPC calls per second", "reqps", "{{method}} {{status}}",
        "sum by (method, status) (rate(ucoder_calls_total[$__rate_interval]))",
    ),
    (
        "Time of a gRPC call, 99th percentile", "s", "{{method}}",
        "histogram_quantile(0.99, sum by (le, method) (rate(ucoder_call_seconds_bucket[$__rate_interval])))",
    ),
    (
        "Share of the calls that fail", "percentunit", "{{method}}",
        "ucoder:call_errors:ratio_rate5m",
    ),
    (
        "HTTP requests of the gateway per second", "reqps", "{{path}} {{status}}",
        "sum by (path, status) (rate(ucoder_http_requests_total[$__rate_interval]))",
    ),
    (
        "Pods that serve metrics", "short", "{{service}}",
        'count by (service) (up{namespace="$namespace", service=~".*"} == 1)',
    ),
]  # fmt: skip


def panel(number: int, content: Panel) -> dict[str, Any]:
    """Returns a time series at its place in a grid of three columns."""
    title, unit, legend, query = content
    return {
        "id": number + 1,
        "type": "timeseries",
        "title": title,
        "datasource": {"type": "prometheus", "uid": "${datasource}"},
        "gridPos": {"x": number % 3 * WIDTH, "y": number // 3 * HEIGHT, "w": WIDTH, "h": HEIGHT},
        "fieldConfig": {"defaults": {"unit": unit, "min": 0}, "overrides": []},
        "targets": [{"refId": "A", "expr": query, "legendFormat": legend}],
    }


def dashboard() -> dict[str, Any]:
    """Returns the dashboard as Grafana imports it."""
    source = {"name": "datasource", "type": "datasource", "query": "prometheus", "label": "Prometheus"}
    namespace = {
        "name": "namespace", "type": "query", "label": "Namespace", "refresh": 2,
        "query": "label_values(ucoder_messages_total, namespace)",
        "datasource": {"type": "prometheus", "uid": "${datasource}"}
    }  # fmt: skip
    return {
        "uid": "ucoder",
        "title": "ucoder",
        "tags": ["ucoder"],
        "schemaVersion": 39,
        "editable": False,
        "refresh": "30s",
        "time": {"from": "now-6h", "to": "now"},
        "templating": {"list": [source, namespace]},
        "panels": [panel(number, content) for number, content in enumerate(PANELS)],
    }


if __name__ == "__main__":
    print(json.dumps(dashboard(), indent=1))
