"""The generator of the chart's README: every value with its default and the comment above it in `values.yaml`.

`python -m ucoder_development.reference_docs` writes it, and `tests/unit/test_reference_docs.py` holds it equal.
"""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

CHART = Path(__file__).parents[3] / "helm" / "ucoder"
Row = tuple[str, str, str]
"""A value's path, default and meaning."""


def chart_page() -> str:
    """Returns the README: what the chart is, its values files, and a table of values for each top-level key."""
    about = yaml.safe_load((CHART / "Chart.yaml").read_text())
    source = (CHART / "values.yaml").read_text()
    root = yaml.compose(source)
    assert isinstance(root, yaml.MappingNode)
    parts = [
        f"# The chart `{about['name']}`\n\n{about['description']}. Kubernetes"
        f" {about['kubeVersion'].removesuffix('-0')}. How to install, upgrade and operate it:"
        " [the guide](../../docs/guides/kubernetes.md); what an upgrade asks for:"
        " [UPGRADING](../../docs/UPGRADING.md).\n",
        "## Values files\n\n| file | for |\n|---|---|",
        *(f"| `{path.relative_to(CHART)}` | {_first_comment(path)} |" for path in _values_files()),
        "\n## Values\n\nFrom `values.yaml`. A key that is not named here is refused. A value without a meaning of its"
        " own is explained by the one above it.\n",
    ]
    for key, value in root.value:
        parts.append(f"### `{key.value}`\n\n{_comment(source, key)}\n\n| value | default | meaning |\n|---|---|---|")
        rows = _rows(source, key.value, value) or [(key.value, _default(value), "")]
        parts += [f"| `{path}` | `{default}` | {meaning} |" for path, default, meaning in rows]
        parts.append("")
    return "\n".join(parts)


def _values_files() -> list[Path]:
    return [*sorted(CHART.glob("values-*.yaml")), *sorted(CHART.glob("ci/*.yaml"))]


def _first_comment(path: Path) -> str:
    """Returns the sentence that a values file begins with."""
    lines = [line.removeprefix("#").strip() for line in path.read_text().splitlines() if line.startswith("#")]
    return _cell(re.split(r"(?<=\.)\s", " ".join(lines))[0])


def _rows(source: str, path: str, node: yaml.Node) -> list[Row]:
    """Returns the rows of the values inside a map that is written over several lines."""
    return list(_inner_rows(source, path, node)) if isinstance(node, yaml.MappingNode) and not node.flow_style else []


def _inner_rows(source: str, path: str, node: yaml.MappingNode) -> Iterator[Row]:
    for key, value in node.value:
        name, meaning = f"{path}.{key.value}", _comment(source, key)
        if inner := _rows(source, name, value):
            if meaning:
                yield name, "{...}", _cell(meaning)
            yield from inner
        else:
            yield name, _default(value), _cell(meaning)


def _comment(source: str, key: yaml.Node) -> str:
    """Returns the lines of comment directly above a key, as one paragraph."""
    lines = source.splitlines()[: key.start_mark.line]
    found: list[str] = []
    while lines and (line := lines.pop().strip()).startswith("#"):
        found.insert(0, line.removeprefix("#").strip())
    return " ".join(found)


def _default(node: yaml.Node) -> str:
    """Returns a value as it may be written on one line."""
    value: Any = yaml.safe_load(yaml.serialize(node))
    if isinstance(value, dict | list):
        return yaml.safe_dump(value, default_flow_style=True, sort_keys=False, width=10**6).strip()
    return json.dumps(value)


def _cell(text: str) -> str:
    return text.replace("|", "\\|")
