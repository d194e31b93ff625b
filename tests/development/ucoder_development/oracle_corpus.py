"""The corpus of the differential oracle: programs in the files of `oracle_programs`, their mutants, and their tests.

A file holds programs. A line `#: program NAME ENTRY_POINT` begins one, `#: test` a test of many lines, `#: tests` tests
of one line each, `#: stdin` the input of a script, followed by `#: stdout` with the text that it should print.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from ucoder.core.test_plans import Test
from ucoder_development.program_mutants import mutants

FOLDER = Path(__file__).parent / "oracle_programs"
MUTANTS = 9
"""The most mutants of one program."""
_HEADER = re.compile(r"^#: (\w+) ?(.*)\n", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class OracleGroup:
    """Programs that are all run on the same tests."""

    id: str
    source: str
    """The part of the corpus: generated, cases, mbpp_plus, humaneval or dev."""
    entry_point: str
    programs: tuple[str, ...]
    labels: tuple[str, ...]
    """By program, `as written`, or the mistake in it."""
    tests: tuple[Test, ...]

    @property
    def rows(self) -> int:
        """The number of (program, test) pairs."""
        return len(self.programs) * len(self.tests)


@cache
def generated_groups() -> tuple[OracleGroup, ...]:
    """Returns every program of the files with its mutants and tests, always the same ones in the same order."""
    return tuple(group for path in sorted(FOLDER.glob("*.txt")) for group in read_programs(path.stem, path.read_text()))


def read_programs(topic: str, text: str) -> Iterator[OracleGroup]:
    """Yields the programs of one file. ValueError names what cannot be read."""
    start, *parts = _HEADER.split(text)
    if start.strip():
        raise ValueError(f"{topic} begins with text that belongs to no program")
    sections = list(zip(parts[::3], parts[1::3], parts[2::3], strict=True))
    starts = [number for number, (kind, _, _) in enumerate(sections) if kind == "program"]
    for start_at, end_at in zip(starts, [*starts[1:], len(sections)], strict=True):
        _, words, program = sections[start_at]
        name, _, entry_point = words.partition(" ")
        changed = mutants(program, MUTANTS)
        yield OracleGroup(
            f"{topic}/{name}",
            "generated",
            entry_point,
            (program, *(one.code for one in changed)),
            ("as written", *(one.mistake for one in changed)),
            tuple(_tests(f"{topic}/{name}", sections[start_at + 1 : end_at])),
        )


def _tests(name: str, sections: list[tuple[str, str, str]]) -> Iterator[Test]:
    stdin = None
    for kind, _, text in sections:
        if kind == "test":
            yield Test(text.rstrip("\n"))
        elif kind == "tests":
            yield from (Test(line) for line in text.splitlines() if line.strip())
        elif kind == "stdin":
            stdin = text
        elif kind == "stdout" and stdin is not None:
            yield Test(stdin=stdin, expected_stdout=text)
        else:
            raise ValueError(f"{name}: a section {kind!r} cannot stand there")
