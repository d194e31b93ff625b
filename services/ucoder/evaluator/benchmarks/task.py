"""A benchmark's task, whatever file it came from: its prompt, and the programs that answers to it make."""

import json
from dataclasses import dataclass
from typing import Any

from ucoder.core.extraction import extract_program, with_preamble
from ucoder.core.test_plans import Test
from ucoder.models.prompts import Prompts

CODE_STOP = ("\ndef ", "\nclass ", "\nif __name__", "\nprint(", "\nassert ", "\n#", "\n```")
"""Strings that begin after the end of a function that continues its own signature (arXiv 2107.03374, 3.2)."""
FENCE_STOP = ("\n```",)
"""The end of a program in a Markdown block."""
SELF_CONTAINED = (
    "Please provide a self-contained Python script that solves the following problem in a markdown code block:"
)
OPENING = (
    "Below is a Python script with a self-contained function that solves the problem and passes corresponding tests:\n"
    "```python\n"
)
"""EvalPlus and BigCodeBench ask an instruct model for SELF_CONTAINED and have its answer begin with OPENING."""


@dataclass(frozen=True, slots=True)
class BenchmarkTask:
    """One problem with its own tests."""

    task_id: str
    prompt: str
    """The text that a base model continues: signature and docstring, or words and the beginning of an answer."""
    entry_point: str
    """The function or class that is tested; empty for a script."""
    tests: tuple[Test, ...]
    whole: Test | None = None
    """The test that the official harness runs in one go, where `tests` holds its parts. Programs whose calls may share
    something run it instead of the parts."""
    canonical_solution: str = ""
    """The text that `program` turns into a right program, if the file has one."""
    groups: tuple[str, ...] = ()
    """Parts of the benchmark that are also scored on their own: a domain, a difficulty, a split."""
    compat: bool = False
    """The tests are a file that runs beside the program, as in the official harness; a program could cheat."""
    cpu_seconds: float = 0.0
    """CPU time limit of one test by the benchmark's own rules; 0 leaves it to the caller."""
    wall_seconds: float = 0.0
    """Limit of elapsed time of one test by the benchmark's own rules, for programs that sleep; 0: the caller's."""
    memory_mb: int = 0
    """Memory limit by the benchmark's own rules; 0 leaves it to the caller."""
    given: str | None = None
    """Code that every program begins with; None: the prompt is this code."""
    preamble: str = ""
    """Imports that the official harness puts before every program."""
    stub: str = ""
    """The code that the official harness puts before whole solutions, which may use its imports and helpers."""
    method: str = ""
    """The method of `Solution` that is tested; a solution without the class may define a function of this name."""
    stop: tuple[str, ...] = CODE_STOP
    """Strings that end a base model's continuation."""
    question: str = ""
    """The question to an instruct model, in the official words; empty: `prompt` in EvalPlus' frame."""
    opening: str = OPENING
    """The beginning of an instruct model's answer: it ends within a Markdown block, or is empty."""

    def render(self, prompts: Prompts) -> tuple[str, tuple[str, ...]]:
        """Returns the prompt in the words of a prompt profile, and the strings that end a completion."""
        question = self.question or f"{SELF_CONTAINED}\n```\n{self.prompt.strip()}\n```"
        prompt = prompts.render("benchmark", problem=self.prompt, question=question, opening=self.opening)
        stop = prompts.stop("benchmark", default=self.stop)
        if not self.opening:  # the answer opens its Markdown blocks itself, and the last one counts
            stop = tuple(text for text in stop if text != "\n```\n")
        return prompt, stop

    def program(self, completion: str) -> str:
        """Returns the complete program of a completion: without fences and prose, and with the given code."""
        return self._with_class(
            with_preamble(self.preamble, extract_program(completion, self._given_code, self.entry_point))
        )

    def verbatim_program(self, completion: str) -> str:
        """Returns the program as the official harnesses make it: the unchanged completion behind the given code."""
        return self._with_class(self.preamble + self._given_code + completion)

    def whole_program(self, solution: str) -> str:
        """Returns the program of a whole solution: behind what the official harness puts before it."""
        return self._with_class(with_preamble(self.preamble + self.stub, solution))

    def _with_class(self, program: str) -> str:
        if not self.method or "class Solution" in program or f"def {self.method}" not in program:
            return program
        return f"{program.rstrip()}\n\n\nclass Solution:\n    {self.method} = staticmethod({self.method})\n"

    def completion_of(self, program: str) -> str:
        """Returns a completion of which `verbatim_program` makes a program that does what `program` does."""
        given = self.preamble + self._given_code
        return program[len(given) :] if program.startswith(given) else "\n" + program

    @property
    def _given_code(self) -> str:
        return self.prompt if self.given is None else self.given


def nested_json(value: Any) -> Any:
    """Returns a value that some files hold as an object and others as JSON text inside their JSON."""
    return json.loads(value) if isinstance(value, str) else value
