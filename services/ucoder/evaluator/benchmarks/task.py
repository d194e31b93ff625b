"""A benchmark's task, whatever file it came from."""

from dataclasses import dataclass

from ucoder.core.extraction import extract_program
from ucoder.core.test_cases import TestCase


@dataclass(frozen=True, slots=True)
class Task:
    """One problem with its own tests."""

    task_id: str
    prompt: str
    """What the model continues or answers: signature and docstring, or plain words."""
    entry_point: str
    """The function or class that is tested; empty for a script."""
    tests: tuple[TestCase, ...]
    canonical_solution: str = ""
    """Text that `program` turns into a right program, where the file has one."""
    group: str = ""
    """A part of the benchmark that is scored on its own as well."""
    compat: bool = False
    """The tests are a file that runs beside the program, as the official harness does it; a program could cheat."""
    cpu_seconds: float = 0.0
    """Processor time of one test by the benchmark's own rules; 0 leaves it to the caller."""
    given: str | None = None
    """Code that a program begins with, where the prompt itself is not that code."""


def program(task: Task, completion: str) -> str:
    """The complete program of a completion."""
    return extract_program(completion, task.prompt if task.given is None else task.given, task.entry_point)
