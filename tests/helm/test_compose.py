"""Checks that deploy/compose.yaml agrees with flow.py and uses settings that exist. Docker itself is not needed."""

import re
from typing import Any

import pytest
import yaml

from ucoder.flow import SERVICES
from ucoder.runtime.settings import PREFIX, load

from .chart import ROOT
from .test_flow import KNOWN

COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "deploy" / "compose.yaml").read_text())
CELLS = {name: one for name, one in COMPOSE["services"].items() if name.startswith("cell-")}
OURS = {name: one for name, one in COMPOSE["services"].items() if name not in ("nats", "store", *CELLS)}


def test_every_service_is_there_and_started_by_its_name() -> None:
    assert set(OURS) == {name.replace("_", "-") for name in SERVICES}
    assert all(one["command"] == ["serve", name] for name, one in OURS.items())


@pytest.mark.parametrize("name", OURS)
def test_its_variables_are_settings_with_values_they_take(name: str) -> None:
    values = {key: re.sub(r"\$\{\w+:[-?]([^}]*)\}", r"\1", value) for key, value in OURS[name]["environment"].items()}
    settings = load({key: value for key, value in values.items() if key.startswith(PREFIX)})
    peers = dict(entry.split("=") for entry in settings.peers.split(","))
    assert set(KNOWN[name]["calls"]) <= {peer.replace("_", "-") for peer in peers}
    assert {address.split(":")[0] for address in peers.values()} <= set(OURS)


@pytest.mark.parametrize("name", OURS)
def test_it_runs_without_rights(name: str) -> None:
    one = OURS[name]
    assert one["user"] == "10001:10001"
    assert one["read_only"] is True
    assert one["cap_drop"] == ["ALL"]
    assert one["build"]["target"] in ("service", "trainer")


def test_programs_run_in_cells_under_gvisor_unless_it_is_typed_otherwise() -> None:
    runner = OURS["sandbox-runner"]
    assert runner["environment"]["UCODER_ISOLATION"] == "${UCODER_ISOLATION:-pod}"
    assert int(runner["environment"]["UCODER_CELLS"]) == len(CELLS)
    for name, cell in CELLS.items():
        assert cell["runtime"] == "${CELL_RUNTIME:-runsc}"
        assert (cell["network_mode"], cell["read_only"], cell["cap_drop"]) == ("none", True, ["ALL"])
        assert "environment" not in cell
        assert cell["volumes"] == [f"{name}:/socket"]
        assert f"{name}:/run/ucoder/{name}" in runner["volumes"]
        assert f"uid={cell['user'].split(':')[0]}" in COMPOSE["volumes"][name]["driver_opts"]["o"]
    assert len({cell["user"] for cell in CELLS.values()}) == len(CELLS)
