"""Python, run by the warm interpreter of the cell."""

from collections.abc import Callable
from dataclasses import dataclass

from ucoder.core import fork_safety, test_plans
from ucoder.core.fork_safety import ForkSafety
from ucoder.core.test_plans import Plan, Test


@dataclass(frozen=True, slots=True)
class Python:
    """The adapter of CPython programs; the rules are in the core, because consensus and generator use them too."""

    name: str = "python"
    interpreter: tuple[str, ...] = ()

    def read_plan(self, test: Test, entry_point: str, compat: bool) -> Plan:
        """Returns what of a test runs inside and what is compared outside."""
        return test_plans.read_plan(test, entry_point, compat)

    def fork_safety(self, program: str, absent: Callable[[str], bool]) -> ForkSafety:
        """Returns whether a program may share a fork."""
        return fork_safety.check_program(program, absent)
