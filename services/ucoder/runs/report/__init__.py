"""The report of a finished run: `report.json`, and `report.html`, which needs no other file."""

import json
from importlib import resources
from pathlib import Path

from jinja2 import Environment, StrictUndefined

from ucoder.core.collapse_metrics import METRICS
from ucoder.runs.report.plots import plots
from ucoder.runs.report.report_data import collect
from ucoder.runs.report.theorem_bounds import MAX_MATRICES
from ucoder.runtime.atomic import write_text
from ucoder.runtime.storage.artifacts import Artifacts


async def write_report(artifacts: Artifacts, run: str, folder: Path) -> None:
    """Writes both files into a folder, each atomically."""
    report = await collect(artifacts, run)
    template = (resources.files("ucoder.runs.report") / "report.html.jinja").read_text()
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    page = environment.from_string(template).render(
        report=report, plots=plots(report), metrics=METRICS, max_matrices=MAX_MATRICES
    )
    write_text(folder / "report.json", json.dumps(report, indent=2) + "\n")
    write_text(folder / "report.html", page)
