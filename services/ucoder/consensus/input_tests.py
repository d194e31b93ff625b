"""Tests for programs that come without: the task's examples, and inputs drawn from the signature."""

from collections.abc import Sequence

from ucoder.core.input_synthesis import UnclearSignature, read_signature
from ucoder.core.input_synthesis.input_drawing import draw_tests
from ucoder.core.test_plans import Test
from ucoder.errors import NoInputs

INPUTS = 64
"""Inputs where the caller names no number."""


def synthesise(
    prompt: str, programs: Sequence[str], entry_point: str = "", *, inputs: int = 0, seed: int = 0
) -> tuple[str, list[Test]]:
    """The function's name, and its tests: examples as asserts, then calls `f(args)` with literal arguments.

    Each input once, at most `inputs` (0 is 64) in all; the same arguments give the same tests.
    Raises Reject naming what is missing.
    """
    try:
        signature = read_signature(prompt, programs, entry_point)
    except UnclearSignature as error:
        raise NoInputs(f"tests: none given, and no inputs can be made. {error}") from None
    return signature.entry_point, draw_tests(signature, inputs or INPUTS, seed)
