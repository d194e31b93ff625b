"""A benchmark's task, whatever file it came from, and the programs that answers to it make."""

from dataclasses import dataclass

from ucoder.core.extraction import extract_program
from ucoder.core.test_plans import Test

CODE = ("\ndef ", "\nclass ", "\nif __name__", "\nprint(", "\nassert ", "\n#", "\n```")
"""Where a function that continues its own signature has ended (arXiv 2107.03374, 3.2)."""
FENCE = ("\n```",)
"""Where a program in a Markdown block has ended."""
SELF_CONTAINED = (
    "Please provide a self-contained Python script that solves the following problem in a markdown code block:"
)
OPENING = (
    "Below is a Python script with a self-contained function that solves the problem and passes corresponding tests:\n"
    "```python\n"
)
"""What EvalPlus and BigCodeBench ask of an instruct model, and the answer they make it begin with."""


@dataclass(frozen=True, slots=True)
class BenchmarkTask:
    """One problem with its own tests."""

    task_id: str
    prompt: str
    """What a base model continues: signature and docstring, or words and the beginning of an answer."""
    entry_point: str
    """The function or class that is tested; empty for a script."""
    tests: tuple[Test, ...]
    canonical_solution: str = ""
    """Text that `program` turns into a right program, where the file has one."""
    groups: tuple[str, ...] = ()
    """Parts of the benchmark that are scored on their own as well: a domain, a difficulty, a split."""
    compat: bool = False
    """The tests are a file that runs beside the program, as the official harness does it; a program could cheat."""
    cpu_seconds: float = 0.0
    """Processor time of one test by the benchmark's own rules; 0 leaves it to the caller."""
    memory_mb: int = 0
    """Memory by the benchmark's own rules; 0 leaves it to the caller."""
    given: str | None = None
    """Code that a program begins with, where the prompt itself is not that code."""
    preamble: str = ""
    """What the official harness puts before every program: imports."""
    stop: tuple[str, ...] = CODE
    """What ends a base model's continuation."""
    question: str = ""
    """What an instruct model is asked, in the official words; empty: `prompt` in EvalPlus' frame."""
    opening: str = OPENING
    """What an instruct model's answer is made to begin with; it ends within a Markdown block, or is empty."""

    @property
    def asked(self) -> str:
        """The question in full."""
        return self.question or f"{SELF_CONTAINED}\n```\n{self.prompt.strip()}\n```"


def program(task: BenchmarkTask, completion: str) -> str:
    """The complete program of what a model wrote: out of fences and prose, put behind what the prompt gives."""
    return task.preamble + extract_program(completion, _given(task), task.entry_point)


def joined(task: BenchmarkTask, completion: str) -> str:
    """The complete program as the official harnesses make it: the completion as it is, behind what is given."""
    return task.preamble + _given(task) + completion


def completion(task: BenchmarkTask, complete: str) -> str:
    """The text that `joined` makes into a program that does what `complete` does."""
    given = task.preamble + _given(task)
    return complete[len(given) :] if complete.startswith(given) else "\n" + complete


def _given(task: BenchmarkTask) -> str:
    return task.prompt if task.given is None else task.given
