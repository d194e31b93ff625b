"""Reads questions from JSON lines, and writes results as JSON lines into a file that is complete or absent."""

import contextlib
import gzip
import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ucoder.core.idle_tests import idle_test
from ucoder.core.test_plans import Test
from ucoder.errors import Misconfigured
from ucoder.runtime.atomic import atomic_file
from ucoder.runtime.dataset_files import read_json_lines

_TEST_KEYS = {
    **dict.fromkeys(("input", "inputs", "stdin_input"), "stdin"),
    **dict.fromkeys(("output", "outputs", "expected_output", "stdout"), "expected_stdout"),
    **dict.fromkeys(("test", "assertion", "assert"), "code"),
}
_QUESTION_KEYS = {
    **dict.fromkeys(("entrypoint", "entryPoint", "fn_name", "function_name"), "entry_point"),
    **dict.fromkeys(("programs", "solutions", "completions"), "candidates"),
    **dict.fromkeys(("test", "test_list", "test_cases"), "tests"),
}
"""By keys of other formats, the keys that are meant."""


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
    """Reads the questions of a file. Raises Misconfigured that names the wrong line: a key that means another one, a
    value of the wrong type, a test that calls nothing of the program.
    """
    questions = []
    for number, value in read_json_lines(path):
        try:
            candidates = [_object(one, "a candidate") for one in _list(value, "candidates")]
            _check_keys(value, _QUESTION_KEYS)
            log_probs = [c["mean_log_prob"] for c in candidates if "mean_log_prob" in c]
            questions.append(
                Question(
                    id=str(value["id"]),
                    prompt=str(value.get("prompt", "")),
                    entry_point=str(value.get("entry_point", "")),
                    programs=tuple(_text(candidate, "code") for candidate in candidates),
                    log_probs=tuple(map(float, log_probs)) if len(log_probs) == len(candidates) else (),
                    tests=tuple(_test(_object(test, "a test")) for test in _list(value, "tests", [])),
                    language=str(value.get("language", "python")),
                )
            )
        except KeyError as error:
            raise Misconfigured(f"{path}:{number}: no key {error}.") from None
        except (TypeError, ValueError, AttributeError) as error:
            raise Misconfigured(f"{path}:{number}: {error}.") from None
        question = questions[-1]
        if question.language == "python" and (idle := idle_test(question.tests)):
            raise Misconfigured(f"{path}:{number}: {idle}.")
    if not questions:
        raise Misconfigured(f"{path}: the file holds no question.")
    return questions


def _test(value: dict[str, Any]) -> Test:
    _check_keys(value, _TEST_KEYS)
    if "code" not in value and value.get("stdin") is None:
        raise ValueError("a test has code, or stdin with expected_stdout")
    return Test(
        code=_text(value, "code", ""),
        count=int(value.get("count", 1)),
        stdin=None if value.get("stdin") is None else _text(value, "stdin"),
        expected_stdout=None if value.get("expected_stdout") is None else _text(value, "expected_stdout"),
        tolerance=float(value.get("tolerance", 0.0)),
        comparison=_text(value, "comparison", ""),
    )


def _check_keys(value: dict[str, Any], meant: dict[str, str]) -> None:
    """Raises ValueError for a key that other formats use for one of ours."""
    for key in value:
        if key in meant:
            raise ValueError(f"the key {key!r} is not known here; it is called {meant[key]}")


def _object(value: Any, what: str) -> dict[str, Any]:
    """Returns an object; a plain text is taken for its code."""
    if isinstance(value, str):
        return {"code": value}
    if not isinstance(value, dict):
        raise TypeError(f'{what} is {str(value)[:60]}, not an object like {{"code": ...}}')
    return value


def _list(value: dict[str, Any], key: str, otherwise: list[Any] | None = None) -> list[Any]:
    items = value[key] if otherwise is None else value.get(key, otherwise)
    if not isinstance(items, list):
        raise TypeError(f"{key} is {str(items)[:60]}, not a list")
    return items


def _text(value: dict[str, Any], key: str, otherwise: str | None = None) -> str:
    text = value[key] if otherwise is None else value.get(key, otherwise)
    if not isinstance(text, str):
        raise TypeError(f"{key} is {str(text)[:60]}, not a text")
    return text


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
