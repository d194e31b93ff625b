"""The corpus of the differential oracle is large, distinct and always the same; mutants make one mistake each."""

import ast
import hashlib
import subprocess
import sys
from pathlib import Path

import pytest

from ucoder.core.outcomes import Outcome
from ucoder_development.oracle_corpus import FOLDER, generated_groups, read_programs
from ucoder_development.plain_python import PlainVerdict, same_text
from ucoder_development.program_mutants import mutants
from ucoder_development.verdict_oracle import PAGE, documented_kinds, kind_of_difference, sample

DIGEST = "import hashlib; from ucoder_development.oracle_corpus import generated_groups; "
DIGEST += "print(hashlib.sha256(repr(generated_groups()).encode()).hexdigest())"


def test_the_pairs_are_many_and_distinct() -> None:
    groups = generated_groups()
    pairs = [(program, test) for group in groups for program in group.programs for test in group.tests]
    assert len(pairs) == sum(group.rows for group in groups) >= 3000
    assert len(set(pairs)) == len(pairs)
    assert len({group.id for group in groups}) == len(groups) >= 40
    assert all(len(group.programs) >= 5 for group in groups)


def test_the_pairs_are_the_same_in_another_process() -> None:
    other = subprocess.run([sys.executable, "-c", DIGEST], capture_output=True, text=True, check=True).stdout.strip()
    assert hashlib.sha256(repr(generated_groups()).encode()).hexdigest() == other


def test_every_kind_of_mistake_occurs_and_every_mutant_parses() -> None:
    labels = {label for group in generated_groups() for label in group.labels}
    assert len(labels) > 25
    for group in generated_groups():
        for program in group.programs:
            ast.parse(program)


def test_a_sample_is_spread_over_the_topics() -> None:
    chosen = sample(generated_groups(), 13)
    assert {group.id.split("/")[0] for group in chosen} == {path.stem for path in FOLDER.glob("*.txt")}
    assert 300 <= sum(group.rows for group in chosen) <= 400


def test_a_file_of_programs_is_read() -> None:
    text = (
        "#: program twice f\ndef f(x):\n    return x * 2\n#: tests\nassert f(1) == 2\nf(2)\n#: stdin\n1\n#: stdout\n2\n"
    )
    (group,) = read_programs("topic", text)
    assert (group.id, group.entry_point, group.labels[0]) == ("topic/twice", "f", "as written")
    assert [(test.code, test.stdin, test.expected_stdout) for test in group.tests] == [
        ("assert f(1) == 2", None, None), ("f(2)", None, None), ("", "1\n", "2\n")
    ]  # fmt: skip
    for wrong in ("x = 1\n" + text, text + "#: other\n"):
        with pytest.raises(ValueError, match="topic"):
            list(read_programs("topic", wrong))


def test_mutants_make_one_mistake_each() -> None:
    found = mutants("def f(x):\n    if x < 0:\n        raise ValueError(x)\n    return [x + 1]\n", 30)
    made = {one.mistake: one.code for one in found}
    assert "return _kept.setdefault('[x + 1]', [x + 1])" in made["a shared object"]
    assert "x <= 0" in made["another comparison"]
    assert "raise TypeError(x)" in made["another error"]
    assert "pass" in made["no error"]
    assert len({one.code for one in found}) == len(found)


@pytest.mark.parametrize(
    ("plain", "here", "kind"),
    [
        (PlainVerdict(Outcome.PASSED), Outcome.PASSED, ""),
        (PlainVerdict(Outcome.RETURNED), Outcome.PASSED, ""),
        (PlainVerdict(Outcome.TIMEOUT_WALL), Outcome.TIMEOUT_CPU, ""),
        (PlainVerdict(Outcome.PASSED), Outcome.UNCONFIRMED, "unconfirmed"),
        (PlainVerdict(Outcome.FAILED, "KeyError"), Outcome.UNCONFIRMED, "failed (KeyError) here unconfirmed"),
        (PlainVerdict(Outcome.RETURNED), Outcome.UNSUPPORTED, "opaque output"),
        (PlainVerdict(Outcome.PASSED), Outcome.UNSUPPORTED, "passed (no error) here unsupported"),
        (PlainVerdict(Outcome.PASSED, to_the_end=False), Outcome.EXCEPTION, "early end"),
        (PlainVerdict(Outcome.PASSED, to_the_end=False), Outcome.PASSED, "passed (no error) here passed"),
        (PlainVerdict(Outcome.EXCEPTION, "TypeError"), Outcome.PASSED, "exception (TypeError) here passed"),
    ],
)  # fmt: skip
def test_a_difference_has_a_kind(plain: PlainVerdict, here: Outcome, kind: str) -> None:
    assert kind_of_difference(plain, here) == kind


def test_the_differences_that_are_meant_are_read_from_the_page() -> None:
    kinds = documented_kinds(PAGE.read_text())
    assert {"unconfirmed", "early end", "time limit"} <= kinds.keys()
    assert all(len(reason) > 20 for reason in kinds.values())
    assert documented_kinds("# Page\n\n## Other\n| a | b |\n") == {}


@pytest.mark.parametrize(
    ("expected", "printed", "tolerance", "same"),
    [
        ("1\n2\n", "1 \n2", 0.0, True),
        ("1\n\n2", "1\n2", 0.0, False),
        ("1.50", "1.5", 0.0, True),
        ("0.333", "0.3331", 0.0, False),
        ("0.333", "0.3331", 0.001, True),
        ("a b", "a  b", 0.0, False),
        ("", "\n\n", 0.0, True),
    ],
)
def test_printed_texts_are_compared_by_lines(expected: str, printed: str, tolerance: float, same: bool) -> None:
    assert same_text(expected, printed, tolerance) is same


def test_the_programs_are_short_files() -> None:
    for path in [*FOLDER.glob("*.txt"), Path(__file__)]:
        assert len(path.read_text().splitlines()) <= 280
