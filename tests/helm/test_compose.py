"""deploy/compose.yaml says what the flow says, with settings that exist; Docker itself is not on this machine."""

import re
from typing import Any

import pytest
import yaml

from ucoder.flow import SERVICES
from ucoder.runtime.settings import PREFIX, load

from .chart import ROOT
from .test_flow import KNOWN

COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "deploy" / "compose.yaml").read_text())
OURS = {name: COMPOSE["services"][name] for name in COMPOSE["services"] if name not in ("nats", "store")}


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


def test_programs_run_under_gvisor_unless_it_is_typed_otherwise() -> None:
    runner = OURS["sandbox-runner"]
    assert runner["runtime"] == "${SANDBOX_RUNTIME:-runsc}"
    assert runner["environment"]["UCODER_ISOLATION"] == "${UCODER_ISOLATION:-pod}"
