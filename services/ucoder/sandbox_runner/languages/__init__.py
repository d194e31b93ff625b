"""One adapter per language: how its tests are read, and which of its programs may share a fork."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from ucoder.core import fork_safety, test_plans
from ucoder.core.fork_safety import ForkSafety
from ucoder.core.test_plans import Plan, Test
from ucoder.errors import Reject
from ucoder.sandbox_runner.languages.javascript import JavaScript


class Language(Protocol):
    """What the sandbox must know of a language."""

    @property
    def name(self) -> str:
        """As callers write it."""

    @property
    def interpreter(self) -> tuple[str, ...]:
        """What a fork becomes to run a program; empty for the warm Python. `{guest}` is the folder of our files."""

    def read(self, test: Test, entry_point: str, compat: bool) -> Plan:
        """What a test runs inside and what is compared outside."""

    def nature(self, program: str, absent: Callable[[str], bool]) -> ForkSafety:
        """Whether a program may share a fork; `absent` knows modules that are not in the cell."""


@dataclass(frozen=True, slots=True)
class Python:
    """CPython, by the warm interpreter of the cell."""

    name: str = "python"
    interpreter: tuple[str, ...] = ()

    def read(self, test: Test, entry_point: str, compat: bool) -> Plan:
        return test_plans.read_plan(test, entry_point, compat)

    def nature(self, program: str, absent: Callable[[str], bool]) -> ForkSafety:
        return fork_safety.check_program(program, absent)


LANGUAGES: dict[str, Language] = {one.name: one for one in (Python(), JavaScript())}


def language(name: str) -> Language:
    """The adapter called `name`; raises `Reject` naming the known ones."""
    if name not in LANGUAGES:
        raise Reject(f"unknown language {name!r}: known are {', '.join(LANGUAGES)}")
    return LANGUAGES[name]
