"""Runs every example of docs/examples, so that none can go stale."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from tests.helm.chart import CHART, HELM

from ucoder.runs import run_config

EXAMPLES = Path(__file__).parents[3] / "docs" / "examples"
SCRIPTS = {
    "select_program.py": ["sorted(xs)", "confidence 0."],
    "stream_selection.py": ["def total(xs): return sum(xs)"],
    "trl_rewards.py": ["[1.0, 1.0, 0.0, 1.0]"],
}
"""What each script prints, at least."""


def run(command: list[str], **environment: str) -> str:
    done = subprocess.run(
        [sys.executable, *command],
        check=False,
        capture_output=True,
        text=True,
        timeout=120,
        env={**os.environ, **environment},
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_every_example_is_run_here() -> None:
    others = {"run.yaml", "values.yaml", "selection.ipynb"}
    assert {path.name for path in EXAMPLES.iterdir() if path.is_file()} == {*SCRIPTS, *others}


@pytest.mark.parametrize("name", SCRIPTS)
def test_a_script_prints_its_answer(name: str, served: str) -> None:
    printed = run([str(EXAMPLES / name), served])
    for expected in SCRIPTS[name]:
        assert expected in printed


def test_select_program_starts_its_own_service_where_no_address_is_given() -> None:
    assert "confidence 0." in run([str(EXAMPLES / "select_program.py")])


def test_the_notebook_runs(served: str) -> None:
    notebook = json.loads((EXAMPLES / "selection.ipynb").read_text())
    code = ["".join(cell["source"]) for cell in notebook["cells"] if cell["cell_type"] == "code"]
    assert "clamp" in run(["-c", "\n".join(code) + "\nprint(answer.program)"], UCODER_EXAMPLE_ADDRESS=served)


def test_the_configuration_of_a_run_is_accepted() -> None:
    config = run_config.load(EXAMPLES / "run.yaml")
    assert (config.seed, config.candidates.n, config.training.lora.rank) == (7, 64, 16)


def test_the_values_of_a_deployment_render() -> None:
    command = [str(HELM), "template", "ucoder", str(CHART), "-f", str(CHART / "values-production.yaml")]
    done = subprocess.run(
        [*command, "-f", str(EXAMPLES / "values.yaml")], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "s3://my-bucket/ucoder" in done.stdout
