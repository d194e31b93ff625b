"""What the commands read and write: problems with tests and candidates, as lines that the other commands read too."""

import asyncio
import contextlib
import json
from collections.abc import Awaitable, Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, TypeVar

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from ucoder.cli.shared.question_files import writing
from ucoder.errors import Misconfigured
from ucoder.runtime.atomic import partial_path
from ucoder.runtime.dataset_files import read_json_lines
from ucoder.v1 import artifacts_pb2 as pb

AT_ONCE = 16
"""Problems worked on side by side, so that a model's batches are full."""
Line = dict[str, Any]
T = TypeVar("T")


class Output:
    """A file that grows aside, line by line, and appears under its name when it is complete.

    A command that was stopped and is given the same settings goes on with the lines that are there.
    """

    def __init__(self, out: Path, settings: Line) -> None:
        """Raises Misconfigured where a half-written file of other settings is in the way."""
        self.out = out
        self._aside = partial_path(out)
        self.done: dict[str, Line] = {}
        """Lines by id that an earlier attempt left."""
        try:
            if self._aside.exists():
                first, *rest = self._aside.read_text().split("\n")
                if first != json.dumps(settings):
                    raise Misconfigured(f"{self._aside} is unfinished work with other settings; finish or remove it.")
                lines = [json.loads(line) for line in rest[:-1]]  # what follows the last newline was cut
                self.done = {str(line["id"]): line for line in lines}
            self._file = self._aside.open("w")
        except (OSError, ValueError, KeyError) as error:
            raise Misconfigured(f"-o {out}: {getattr(error, 'strerror', None) or error}.") from None
        print(json.dumps(settings), file=self._file)
        for line in self.done.values():
            print(json.dumps(line), file=self._file)
        self._file.flush()

    def write(self, line: Line) -> None:
        """One more line, on the disk at once."""
        self.done[str(line["id"])] = line
        print(json.dumps(line), file=self._file, flush=True)

    def finish(self, lines: Sequence[Line] | None = None) -> None:
        """All lines in the order of their ids (or those given, in theirs) under the file's own name."""
        self._file.close()
        ordered = [self.done[name] for name in sorted(self.done)] if lines is None else lines
        with writing(self.out) as write:
            for line in ordered:
                write(line)
        self._aside.unlink(missing_ok=True)

    def close(self) -> None:
        """Leaves what is there for another attempt."""
        self._file.close()


@contextlib.contextmanager
def output(out: Path, **settings: Any) -> Iterator[Output]:
    """An `Output` that is closed at the end, finished or not."""
    found = Output(out, settings)
    try:
        yield found
    finally:
        found.close()


def read(path: Path) -> list[Line]:
    """Problems of a file: id (or task_id), prompt, entry_point (empty: a script). Misconfigured names the line."""
    found: dict[str, Line] = {}
    for number, value in read_json_lines(path):
        line = {"id": str(value.get("id", value.get("task_id", ""))), **value}
        for key in ("id", "prompt", "entry_point"):
            if not isinstance(line.get(key), str) or not (line[key] or key == "entry_point"):
                raise Misconfigured(f"{path}:{number}: no {key}.")
        if line["id"] in found:
            raise Misconfigured(f"{path}:{number}: id {line['id']} stands there twice.")
        found[line["id"]] = line
    if not found:
        raise Misconfigured(f"{path}: holds no line.")
    return list(found.values())


def problem_of(line: Line, model: str) -> pb.Problem:
    """The problem that a line states."""
    brief = pb.Brief(domain=line.get("domain", ""), difficulty=line.get("difficulty", 0), model=model)
    return pb.Problem(brief=brief, prompt=line["prompt"], entry_point=line["entry_point"])


async def each(words: str, items: Sequence[T], work: Callable[[T], Awaitable[None]]) -> None:
    """Works on items side by side behind a progress bar; the first error ends it."""
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    room = asyncio.Semaphore(AT_ONCE)
    with Progress(*columns, console=console, disable=not console.is_terminal) as progress:
        task = progress.add_task(words, total=len(items))

        async def one(item: T) -> None:
            async with room:
                await work(item)
            progress.advance(task)

        try:
            async with asyncio.TaskGroup() as group:
                for item in items:
                    group.create_task(one(item))
        except BaseExceptionGroup as errors:
            raise errors.exceptions[0] from None


def told(words: str) -> None:
    """A last line for a person, on stderr."""
    Console(stderr=True, highlight=False, soft_wrap=True).print(words)
