"""JSON lines in and out: plain or gzip, errors by file and line, written aside and renamed when complete."""

import contextlib
import gzip
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ucoder.core.test_cases import TestCase
from ucoder.runtime.errors import Misconfigured


@dataclass(frozen=True, slots=True)
class Question:
    """One line of `ucoder execute` and `ucoder select`: programs, and tests to run them on."""

    id: str
    prompt: str
    entry_point: str
    programs: tuple[str, ...]
    log_probs: tuple[float, ...]
    """Mean token log-probability of each program; empty where the file has none."""
    tests: tuple[TestCase, ...]
    language: str


def read(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """Objects with their line numbers. Misconfigured on a file that cannot be read or a line that is no object."""
    try:
        with path.open("rb") as raw:
            zipped = raw.read(2) == b"\x1f\x8b"
        with gzip.open(path, "rt") if zipped else path.open() as file:
            for number, line in enumerate(file, 1):
                if not line.strip():
                    continue
                try:
                    value = json.loads(line)
                except ValueError as error:
                    raise Misconfigured(f"{path}:{number}: not JSON: {error}.") from None
                if not isinstance(value, dict):
                    raise Misconfigured(f"{path}:{number}: expected an object, found a {type(value).__name__}.")
                yield number, value
    except (OSError, EOFError, UnicodeDecodeError) as error:
        raise Misconfigured(f"{path}: {getattr(error, 'strerror', None) or error}.") from None


def read_questions(path: Path) -> list[Question]:
    """The questions of a file, in the format of the README; unknown keys are ignored, wrong ones named by line."""
    questions = []
    for number, value in read(path):
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
        raise Misconfigured(f"{path}: holds no line.")
    return questions


def _test(value: dict[str, Any]) -> TestCase:
    return TestCase(
        code=str(value.get("code", "")),
        count=int(value.get("count", 1)),
        stdin=value.get("stdin"),
        expected_stdout=value.get("expected_stdout"),
    )


@contextlib.contextmanager
def writing(path: Path) -> Iterator[Callable[[dict[str, Any]], None]]:
    """Gives a function that writes one object a line; the file appears under its name when the block ends well."""
    aside = path.with_name(path.name + ".partial")
    try:
        with gzip.open(aside, "wt") if path.suffix == ".gz" else aside.open("w") as file:
            yield lambda value: print(json.dumps(value), file=file)
        aside.rename(path)
    except OSError as error:
        raise Misconfigured(f"-o {path}: {error.strerror}.") from None
    finally:
        aside.unlink(missing_ok=True)
