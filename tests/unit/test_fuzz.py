"""The short form of `make fuzz`: every target reads 300 nearly right inputs."""

import pytest
from tests.fuzz.running import fuzz
from tests.fuzz.targets import TARGETS


@pytest.mark.parametrize("target", TARGETS, ids=lambda target: target.name)
def test_nothing_crashes_or_hangs(target) -> None:
    done = fuzz(target, 300)
    assert 0 < done.inputs > done.refused
