"""The parts of the oracle's corpus that other people wrote: the cases, MBPP+, HumanEval and the dev file.

The files are no part of the repository (`shared/data/README.md`). A part whose file is absent is left out, with its
name in the report.
"""

import ast
import gzip
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from ucoder.core.test_plans import Test
from ucoder_development.oracle_corpus import OracleGroup, generated_groups

SHARED = Path(__file__).parents[4] / "shared" / "data"


def oracle_groups(shared: Path, dev_file: Path | None, tasks: int | None) -> tuple[list[OracleGroup], list[str]]:
    """Returns the whole corpus, and for each part that is left out the reason. tasks: how many tasks of the dev file,
    and groups of every other part, are used.
    """
    groups, absent = list(generated_groups()[:tasks]), []
    parts: list[tuple[Path | None, Callable[[Path], Iterator[OracleGroup]]]] = [
        (shared / "cases" / "execute.jsonl", cases),
        (shared / "benchmarks" / "MbppPlus.jsonl.gz", mbpp_plus),
        (shared / "HumanEval.jsonl.gz", humaneval),
        (dev_file, dev),
    ]
    for path, read in parts:
        if path is None:
            absent.append(f"{read.__name__}: no file was given")
        elif not path.exists():
            absent.append(f"{read.__name__}: {path} is not on this machine")
        else:
            groups += list(read(path))[:tasks]
    return groups, absent


def cases(path: Path) -> Iterator[OracleGroup]:
    """Yields the cases. Calls with a tolerance are left out, because plain Python has none."""
    for row in _rows(path):
        tests = []
        for test in row["tests"]:
            for key in ("stdin", "expected_stdout"):
                if test.get(f"{key}_times"):
                    test[key] *= test.pop(f"{key}_times")
            if "code" not in test or "tolerance" not in test:
                tests.append(Test(**test))
        programs = tuple(one["code"] for one in row["candidates"])
        if tests:
            yield _group(row["id"], "cases", row.get("entry_point", ""), programs, tests)


def mbpp_plus(path: Path) -> Iterator[OracleGroup]:
    """Yields the reference solutions of MBPP+, on all their asserts at once and on each alone."""
    for row in _rows(path):
        lines = [ast.unparse(one) for one in ast.parse(row["assertion"]).body if isinstance(one, ast.Assert)]
        tests = [Test(row["assertion"].strip()), *map(Test, lines)]
        yield _group(row["task_id"], "mbpp_plus", row["entry_point"], (row["canonical_solution"],), tests)


def humaneval(path: Path) -> Iterator[OracleGroup]:
    """Yields the reference solutions of HumanEval on their `check`."""
    for row in _rows(path):
        program, name = row["prompt"] + row["canonical_solution"], row["entry_point"]
        yield _group(row["task_id"], "humaneval", name, (program,), [Test(f"{row['test']}\ncheck({name})")])


def dev(path: Path) -> Iterator[OracleGroup]:
    """Yields the programs of the dev file on their `check`."""
    for row in _rows(path):
        programs = tuple(dict.fromkeys(one["code"] for one in row["candidates"]))
        yield _group(f"dev/{row['id']}", "dev", row["entry_point"], programs, [Test(row["check"])])


def _group(name: str, source: str, entry_point: str, programs: tuple[str, ...], tests: list[Test]) -> OracleGroup:
    labels = tuple(f"program {number}" for number in range(len(programs)))
    return OracleGroup(name, source, entry_point, programs, labels, tuple(dict.fromkeys(tests)))


def _rows(path: Path) -> Iterator[dict[str, Any]]:
    opener = gzip.open if path.suffix == ".gz" else open
    with opener(path, "rt", encoding="utf-8") as lines:
        for line in lines:
            if line.strip():
                yield json.loads(line)
