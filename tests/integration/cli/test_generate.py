"""`ucoder generate` with the shipped model and the real sandbox; other commands read the files that it writes."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from ucoder.cli.generate.benchmark import generate_benchmark
from ucoder.cli.generate.problem_lines import ResumableFile, read_problems
from ucoder.cli.generate.problems import generate_problems
from ucoder.cli.generate.solutions import generate_solutions
from ucoder.cli.generate.tests import generate_tests
from ucoder.cli.shared.question_files import read_questions
from ucoder.errors import Misconfigured

PROMPT = 'def add(a: int, b: int) -> int:\n    """The sum.\n\n    >>> add(1, 2)\n    4\n    """\n'
RIGHT, WRONG = "    return a + b\n", "    return a - b\n"
RESTATED = "from operator import add as plus\n\n\ndef add(a: int, b: int) -> int:\n    return plus(a, b)\n"


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def written(path: Path, *some: dict[str, Any]) -> Path:
    path.write_text("".join(json.dumps(one) + "\n" for one in some))
    return path


def check(data: Path, references: Path) -> float:
    """Returns the pass@1 that `ucoder evaluate` gives the references."""
    words = ["evaluate", "--benchmark", "humaneval", "--data", str(data), "--samples", str(references), "--json"]
    done = subprocess.run([sys.executable, "-m", "ucoder", *words], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return float(json.loads(done.stdout)["pass@1"])


async def test_from_nothing_to_a_benchmark_that_its_references_pass(tmp_path: Path) -> None:
    posed, tested, sampled, made = (tmp_path / f"{name}.jsonl" for name in "ptsb")
    await generate_problems(posed, count=3, domain=["algorithms"], easiest=1, hardest=1, seed=3)
    assert [one["id"] for one in lines(posed)] == sorted({one["id"] for one in lines(posed)})
    assert len(lines(posed)) == 3
    await generate_tests(posed, tested, keep=8, samples=2, seed=3)
    assert all(3 <= len(one["tests"]) <= 8 for one in lines(tested))
    await generate_solutions(tested, sampled, n=8, seed=3)
    assert [len(question.programs) for question in read_questions(sampled)] == [8, 8, 8]
    await generate_benchmark(sampled, made, min_confidence=0.0, tests=10, least=3, references=tmp_path / "r.jsonl")
    assert lines(made)
    assert check(made, tmp_path / "r.jsonl") == 1.0
    assert {file.name for file in tmp_path.iterdir()} == {"p.jsonl", "t.jsonl", "s.jsonl", "b.jsonl", "r.jsonl"}


async def test_references_are_what_most_agree_on_and_doubtful_problems_are_left_out(tmp_path: Path) -> None:
    def question(name: str, *programs: str) -> dict[str, Any]:
        return {"id": name, "prompt": PROMPT, "entry_point": "add", "candidates": [{"code": code} for code in programs]}

    source = written(
        tmp_path / "s.jsonl",
        question("agreed", *[PROMPT + RIGHT] * 24, PROMPT + WRONG),
        question("restated", *[RESTATED] * 24),
        question("doubtful", *(f"{PROMPT}    return a + {i} * b\n" for i in range(9))),
        question("flaky", *["import random\n\n\n" + PROMPT + "    return random.random()\n"] * 24),
        question("other", *["def add(x: int, y: int) -> int:\n    return x + y\n"] * 24),
    )
    out, references = tmp_path / "b.jsonl", tmp_path / "r.jsonl"
    await generate_benchmark(source, out, min_confidence=0.5, tests=12, least=5, references=references)
    found = {one["task_id"]: one for one in lines(out)}
    assert list(found) == ["agreed", "restated"]
    assert found["agreed"]["canonical_solution"] == RIGHT
    assert found["agreed"]["prompt"] == PROMPT.replace("    4", "    3"), "an example that is wrong is put right"
    assert "assert candidate(1, 2) == 3" in found["agreed"]["test"]
    assert found["agreed"]["test"].count("assert") == 12
    assert check(out, references) == 1.0
    wrong = written(tmp_path / "w.jsonl", *({"task_id": name, "completion": WRONG} for name in found))
    assert check(out, wrong) == 0.0


def test_unfinished_work_is_continued_with_the_same_settings_only(tmp_path: Path) -> None:
    out = tmp_path / "o.jsonl"
    with ResumableFile(out, seed=1) as file:
        file.write({"id": "b", "x": 1})
    assert not out.exists()
    partial = tmp_path / "o.jsonl.partial"
    partial.write_text(partial.read_text() + '{"id": "cut')
    with pytest.raises(Misconfigured, match="other settings"), ResumableFile(out, seed=2):
        pass
    with ResumableFile(out, seed=1) as file:
        assert file.done == {"b": {"id": "b", "x": 1}}
        file.write({"id": "a", "x": 2})
        file.finish()
    assert lines(out) == [{"id": "a", "x": 2}, {"id": "b", "x": 1}]
    assert [path.name for path in tmp_path.iterdir()] == ["o.jsonl"]


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ({"id": "a", "prompt": PROMPT}, r"in.jsonl:1: no entry_point"),
        ({"prompt": PROMPT, "entry_point": "f"}, r"in.jsonl:1: no id"),
    ],
)
def test_a_missing_key_is_named(tmp_path: Path, line: dict[str, Any], words: str) -> None:
    with pytest.raises(Misconfigured, match=words):
        read_problems(written(tmp_path / "in.jsonl", line))


async def test_a_benchmark_needs_candidates(tmp_path: Path) -> None:
    source = written(tmp_path / "in.jsonl", {"id": "a", "prompt": PROMPT, "entry_point": "add"})
    with pytest.raises(Misconfigured, match="generate solutions"):
        await generate_benchmark(source, tmp_path / "b", tests=5, least=1)
