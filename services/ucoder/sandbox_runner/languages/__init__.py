"""The languages that programs may have: one module for each, and the table of them.

Trusted as the host is, because a module here decides what enters a cell and what is compared outside. A new language
needs a module with an adapter, its line in `LANGUAGES`, and a runner in `guest/` that speaks `guest/cell_protocol`;
`javascript` and `guest/javascript_runner.js` are the example.
"""

from collections.abc import Callable
from typing import Protocol

from ucoder.core.fork_safety import ForkSafety
from ucoder.core.test_plans import Plan, Test
from ucoder.errors import Reject
from ucoder.sandbox_runner.languages.javascript import JavaScript
from ucoder.sandbox_runner.languages.python import Python


class Language(Protocol):
    """The contract of a language's adapter."""

    @property
    def name(self) -> str:
        """The name by which callers ask for it."""

    @property
    def interpreter(self) -> tuple[str, ...]:
        """The command that takes a fork's place to run a program, with `{guest}` for the folder of the guest's files.
        Empty for Python, which runs in the fork itself."""

    def read_plan(self, test: Test, entry_point: str, compat: bool) -> Plan:
        """Returns what of a test runs inside and what is compared outside."""

    def fork_safety(self, program: str, absent: Callable[[str], bool]) -> ForkSafety:
        """Returns whether a program may share a fork; `absent` knows the modules that are not in the cell."""


LANGUAGES: dict[str, Language] = {adapter.name: adapter for adapter in (Python(), JavaScript())}


def language(name: str) -> Language:
    """Returns the adapter called `name`; raises `Reject` where there is none."""
    if name not in LANGUAGES:
        raise Reject(f"unknown language {name!r}: known are {', '.join(LANGUAGES)}")
    return LANGUAGES[name]
