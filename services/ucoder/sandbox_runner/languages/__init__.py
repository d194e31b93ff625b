"""One adapter per language: how its tests are read, and which of its programs may share a fork."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from ucoder.core import tame, test_cases
from ucoder.core.tame import Nature
from ucoder.core.test_cases import Plan, TestCase
from ucoder.runtime.errors import Reject
from ucoder.sandbox_runner.languages.javascript import JavaScript


class Language(Protocol):
    """What the sandbox must know of a language."""

    @property
    def name(self) -> str:
        """As callers write it."""

    @property
    def interpreter(self) -> tuple[str, ...]:
        """What a fork becomes to run a program; empty for the warm Python. `{guest}` is the folder of our files."""

    def read(self, test: TestCase, entry_point: str, compat: bool) -> Plan:
        """What a test runs inside and what is compared outside."""

    def nature(self, program: str, absent: Callable[[str], bool]) -> Nature:
        """Whether a program may share a fork; `absent` knows modules that are not in the cell."""


@dataclass(frozen=True, slots=True)
class Python:
    """CPython, by the warm interpreter of the cell."""

    name: str = "python"
    interpreter: tuple[str, ...] = ()

    def read(self, test: TestCase, entry_point: str, compat: bool) -> Plan:
        return test_cases.read(test, entry_point, compat)

    def nature(self, program: str, absent: Callable[[str], bool]) -> Nature:
        return tame.nature(program, absent)


LANGUAGES: dict[str, Language] = {one.name: one for one in (Python(), JavaScript())}


def language(name: str) -> Language:
    """The adapter called `name`; raises `Reject` naming the known ones."""
    if name not in LANGUAGES:
        raise Reject(f"unknown language {name!r}: known are {', '.join(LANGUAGES)}")
    return LANGUAGES[name]
