"""Tests of the choice of gVisor's platform: the default, unless another was clearly faster."""

import pytest

from ucoder.sandbox_runner.host.gvisor_platforms import fastest


@pytest.mark.parametrize(
    ("seconds", "chosen"),
    [
        ({}, "systrap"),
        ({"systrap": 1.0}, "systrap"),
        ({"systrap": 1.0, "kvm": 0.9, "ptrace": 2.0}, "systrap"),  # within the noise of measurement
        ({"systrap": 1.0, "kvm": 0.4, "ptrace": 0.7}, "kvm"),
        ({"ptrace": 3.0}, "ptrace"),
    ],
)
def test_the_clearly_fastest_is_taken(seconds: dict[str, float], chosen: str) -> None:
    assert fastest(seconds) == chosen
