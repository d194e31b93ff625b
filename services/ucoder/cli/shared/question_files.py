"""Reads questions from JSON lines, and writes results as JSON lines into a file that is complete or absent."""

import contextlib
import gzip
import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ucoder.core.test_plans import Test
from ucoder.errors import Misconfigured
from ucoder.runtime.atomic import atomic_file
from ucoder.runtime.dataset_files import read_json_lines


@dataclass(frozen=True, slots=True)
class Question:
    """One input line of `ucoder execute` and `ucoder select`: programs, and the tests to run them on."""

    id: str
    prompt: str
    entry_point: str
    programs: tuple[str, ...]
    log_probs: tuple[float, ...]
    """Mean token log-probability of each program; empty where the file has none."""
    tests: tuple[Test, ...]
    language: str


def read_questions(path: Path) -> list[Question]:
    """Reads the questions of a file. Unknown keys are ignored. Raises Misconfigured that names the wrong line."""
    questions = []
    for number, value in read_json_lines(path):
        try:
            candidates = value["candidates"]
            log_probs = [c["mean_log_prob"] for c in candidates if "mean_log_prob" in c]
            questions.append(
                Question(
                    id=str(value["id"]),
                    prompt=str(value.get("prompt", "")),
                    entry_point=str(value.get("entry_point", "")),
                    programs=tuple(str(candidate["code"]) for candidate in candidates),
                    log_probs=tuple(map(float, log_probs)) if len(log_probs) == len(candidates) else (),
                    tests=tuple(_test(test) for test in value.get("tests", [])),
                    language=str(value.get("language", "python")),
                )
            )
        except KeyError as error:
            raise Misconfigured(f"{path}:{number}: no key {error}.") from None
        except (TypeError, ValueError, AttributeError) as error:
            raise Misconfigured(f"{path}:{number}: {error}.") from None
    if not questions:
        raise Misconfigured(f"{path}: the file holds no question.")
    return questions


def _test(value: dict[str, Any]) -> Test:
    return Test(
        code=str(value.get("code", "")),
        count=int(value.get("count", 1)),
        stdin=value.get("stdin"),
        expected_stdout=value.get("expected_stdout"),
        tolerance=float(value.get("tolerance", 0.0)),
    )


def write_lines(path: Path, lines: Iterable[dict[str, Any]]) -> None:
    """Writes objects as lines of a file, which gets its name when it is complete."""
    with line_writer(path) as write:
        for line in lines:
            write(line)


@contextlib.contextmanager
def line_writer(path: Path) -> Iterator[Callable[[dict[str, Any]], None]]:
    """Yields a function that writes one object as a line. The file gets its name when the block ends without error."""
    try:
        with (
            atomic_file(path) as temporary,
            gzip.open(temporary, "wt") if path.suffix == ".gz" else temporary.open("w") as file,
        ):
            yield lambda value: print(json.dumps(value), file=file)
    except OSError as error:
        raise Misconfigured(f"-o {path}: {error.strerror}.") from None
