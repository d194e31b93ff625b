"""The probe text: the trainer and the model server must agree on its log-probability, or different weights answer."""

PROBE = "def add(a: int, b: int) -> int:\n    return a + b\n"
TOLERANCE = 0.05
"""Of the mean log-probability. Servers differ in precision by less, other weights by far more."""
