"""The files of `ucoder generate`: problems with tests and candidates, one JSON object a line."""

import asyncio
import contextlib
import json
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console

from ucoder.cli.shared.progress_bar import progress_bar
from ucoder.cli.shared.question_files import write_lines
from ucoder.errors import Misconfigured
from ucoder.runtime.atomic import partial_path
from ucoder.runtime.dataset_files import read_json_lines
from ucoder.v1 import artifacts_pb2 as pb

PROBLEMS_AT_ONCE = 16
"""Problems that are worked on at once, so that the batches of a model are full."""
Line = dict[str, Any]


class ResumableFile(contextlib.AbstractContextManager["ResumableFile"]):
    """A file that grows line by line under a temporary name and gets its own name when it is complete.

    A command that was stopped and is given again with the same settings continues after the lines of the first attempt.
    """

    def __init__(self, out: Path, **settings: Any) -> None:
        """Reads what an earlier attempt left. Raises Misconfigured when that attempt had other settings."""
        self.out = out
        self._partial = partial_path(out)
        self.done: dict[str, Line] = {}
        """The lines that are written, by id."""
        try:
            if self._partial.exists():
                first, *rest = self._partial.read_text().split("\n")
                if first != json.dumps(settings):
                    raise Misconfigured(
                        f"{self._partial} is unfinished work with other settings; finish it with those, or remove it."
                    )
                lines = [json.loads(line) for line in rest[:-1]]  # the last piece is empty, or a line that was cut off
                self.done = {str(line["id"]): line for line in lines}
            self._file = self._partial.open("w")
        except (OSError, ValueError, KeyError) as error:
            raise Misconfigured(f"-o {out}: {getattr(error, 'strerror', None) or error}.") from None
        for line in (settings, *self.done.values()):
            print(json.dumps(line), file=self._file, flush=True)

    def write(self, line: Line) -> None:
        """Adds a line and flushes it."""
        self.done[str(line["id"])] = line
        print(json.dumps(line), file=self._file, flush=True)

    async def process(
        self, title: str, lines: Sequence[Line], work: Callable[[Line], Awaitable[Line | None]]
    ) -> list[Line]:
        """Works on all lines that are not done, behind a progress bar, and writes what `work` makes of each.

        Returns all that are done, in the order of `lines`. The first error stops the rest of the work and is raised.
        """
        missing = [line for line in lines if line["id"] not in self.done]
        slots = asyncio.Semaphore(PROBLEMS_AT_ONCE)
        with progress_bar(title, len(missing), "problems") as advance:

            async def process_line(line: Line) -> None:
                async with slots:
                    if made := await work(line):
                        self.write({"id": line["id"], **made})
                advance()

            try:
                async with asyncio.TaskGroup() as group:
                    for line in missing:
                        group.create_task(process_line(line))
            except BaseExceptionGroup as errors:
                raise errors.exceptions[0] from None
        return [self.done[line["id"]] for line in lines if line["id"] in self.done]

    def finish(self, lines: Sequence[Line] | None = None) -> None:
        """Writes the file under its own name: the given lines, or all lines in the order of their ids."""
        self._file.close()
        write_lines(self.out, [self.done[name] for name in sorted(self.done)] if lines is None else lines)
        self._partial.unlink(missing_ok=True)

    def __exit__(self, *error: object) -> None:
        """Closes the temporary file and keeps it for another attempt."""
        self._file.close()


def read_problems(path: Path) -> list[Line]:
    """Reads problems: id (or task_id), prompt, and entry_point, which is empty for a script.

    Raises Misconfigured that names the wrong line.
    """
    found: dict[str, Line] = {}
    for number, value in read_json_lines(path):
        line = {"id": str(value.get("id", value.get("task_id", ""))), **value}
        for key in ("id", "prompt", "entry_point"):
            if not isinstance(line.get(key), str) or not (line[key] or key == "entry_point"):
                raise Misconfigured(f"{path}:{number}: no {key}.")
        if line["id"] in found:
            raise Misconfigured(f"{path}:{number}: the id {line['id']} is used twice.")
        found[line["id"]] = line
    if not found:
        raise Misconfigured(f"{path}: the file holds no problem.")
    return list(found.values())


def problem_of(line: Line, model: str) -> pb.Problem:
    """Returns the problem that a line states."""
    brief = pb.Brief(domain=line.get("domain", ""), difficulty=line.get("difficulty", 0), model=model)
    return pb.Problem(brief=brief, prompt=line["prompt"], entry_point=line["entry_point"])


def print_summary(text: str) -> None:
    """Prints the last line of a command for the user, on standard error."""
    Console(stderr=True, highlight=False, soft_wrap=True).print(text)
