"""Inputs that are synthesised for requests without tests."""

import ast
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from ucoder.consensus.request_tests import synthesise_tests
from ucoder.errors import NoInputs


def inputs(prompt: str, programs: list[str], **options: Any) -> list[tuple[Any, ...]]:
    """Returns the arguments of every call, examples included."""
    _, tests = synthesise_tests(prompt, programs, **options)
    calls = [next(node for node in ast.walk(ast.parse(test.code)) if isinstance(node, ast.Call)) for test in tests]
    return [tuple(ast.literal_eval(argument) for argument in call.args) for call in calls]


@pytest.mark.parametrize(
    ("annotation", "fits"),
    [
        ("int", lambda v: type(v) is int),
        ("float", lambda v: type(v) is float),
        ("bool", lambda v: type(v) is bool),
        ("str", lambda v: type(v) is str),
        ("bytes", lambda v: type(v) is bytes),
        ("List[int]", lambda v: type(v) is list and all(type(x) is int for x in v)),
        ("list[list[str]]", lambda v: all(type(x) is list and all(type(y) is str for y in x) for x in v)),
        ("Dict[str, float]", lambda v: all(type(k) is str and type(x) is float for k, x in v.items())),
        ("tuple[int, str]", lambda v: type(v) is tuple and [type(x) for x in v] == [int, str]),
        ("Tuple[int, ...]", lambda v: type(v) is tuple and all(type(x) is int for x in v)),
        ("set[int]", lambda v: type(v) is set),
        ("Optional[int]", lambda v: v is None or type(v) is int),
        ("int | str", lambda v: type(v) in (int, str)),
        ("'typing.Sequence[int]'", lambda v: type(v) is list),
        ("Literal['a', 'b']", lambda v: v in ("a", "b")),
        ("list", lambda v: type(v) is list),
        ("Any", lambda v: type(v) is int),  # by its use below
    ],
)
def test_inputs_have_the_annotated_type(annotation: str, fits: Any) -> None:
    program = f"def f(x: {annotation}):\n    return abs(x)\n"
    found = inputs("", [program], inputs=30)
    assert len(found) >= 2
    assert all(fits(value) for (value,) in found)
    assert len({repr(value) for value in found}) == len(found)


def test_examples_become_asserts_and_set_the_ranges_of_inputs() -> None:
    prompt = '''def f(brackets: str, times: int) -> bool:
    """Whether brackets match.

    >>> f("()(", 3)
    False
    f("(())", 12) == True, and f(")", 1) returns False. Also f("", 4) => True
    """
'''
    name, tests = synthesise_tests(prompt, [], inputs=50)
    assert name == "f"
    assert [test.code for test in tests[:4]] == [
        "assert f('()(', 3) == False",
        "assert f('(())', 12) == True",
        "assert f(')', 1) == False",
        "assert f('', 4) == True",
    ]
    for text, times in inputs(prompt, [], inputs=50):
        assert set(text) <= {"(", ")"}
        assert 1 <= times <= 50


@pytest.mark.parametrize(
    ("text", "test"),
    [
        (">>> f([1, 2])\n    [2,\n     1]\n", "assert f([1, 2]) == [2, 1]"),
        ("f(-1) -> {'a': 1}", "assert f(-1) == {'a': 1}"),
        ("f(1, k=(2,)) should return None.", "assert f(1, k=(2,)) == None"),
        ("f('a)b') ➞ 'x'  # why", "assert f('a)b') == 'x'"),
        ("f(3) is prime", "f(3)"),
        (">>> f(4)\n    Traceback (most recent call last):", "f(4)"),
    ],
)
def test_the_notations_of_examples_in_a_text(text: str, test: str) -> None:
    prompt = f'def f(x, k=(1,)):\n    """What it does.\n\n    {text}\n    """\n'
    assert synthesise_tests(prompt, [], inputs=1)[1][0].code == test


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        ("return x.lower()", str),
        ("return x % 2", int),
        ("return [y for y in range(x)]", int),
        ("return sum(x)", list),
        ("return x if 1 else (x, 0)", int),
        ("return {k for k, v in x.items()}", dict),
        ("x.append(1); return x", list),
        ("return x if isinstance(x, str) else 1", str),
    ],
)
def test_parameters_without_annotation_are_inferred_from_use(body: str, kind: type) -> None:
    assert {type(value) for (value,) in inputs("", [f"def f(x):\n    {body}\n"], inputs=20)} == {kind}


def test_items_are_inferred_from_use_too_and_most_programs_decide() -> None:
    words = "def f(x):\n    return [w.upper() for w in x]\n"
    found = inputs("", [words, words + "#", "def f(x):\n    return x + 1\n"], inputs=20)
    assert all(type(word) is str for (value,) in found for word in value)


def test_calls_in_programs_count_where_the_text_has_no_examples() -> None:
    program = "def f(x):\n    return x\n\nprint(f([1.5, 2.5]))\n"
    assert all(type(x) is float for (value,) in inputs("", [program], inputs=20) for x in value)


def test_the_function_is_the_one_that_the_prompt_or_most_programs_define() -> None:
    programs = ["def g(x: int): return x\ndef f(x: int): return g(x)\n"] * 2 + ["def h(x: int): return x\n"]
    assert synthesise_tests("", programs)[0] == "f"
    assert synthesise_tests("def h(x: int):\n", programs)[0] == "h"


def test_no_parameters_and_keywords() -> None:
    assert [test.code for test in synthesise_tests("def f() -> int:\n", [])[1]] == ["f()"]
    codes = [test.code for test in synthesise_tests("def f(x: int, *, k: bool) -> int:\n", [], inputs=9)[1]]
    assert all(", k=" in code for code in codes)


@pytest.mark.parametrize(
    ("prompt", "words"),
    [
        ("def f(x):\n", "parameter x: neither annotation nor example nor use"),
        ("def f(x: Node):\n", "parameter x: neither annotation nor example nor use"),
        ("Sort the list.", "neither the prompt nor any program defines a function"),
    ],
)
def test_a_signature_without_types_is_refused_and_the_missing_part_is_named(prompt: str, words: str) -> None:
    with pytest.raises(NoInputs, match=words):
        synthesise_tests(prompt, ["not a program ("])


def test_every_process_draws_the_same_inputs() -> None:
    """Hypothesis' own engine would not, because it draws constants from the modules that are loaded."""
    script = (
        "import sys; sys.path.insert(0, sys.argv[1])\n"
        "import constants_of_some_module\n"
        "from ucoder.consensus.request_tests import synthesise_tests\n"
        "print(*(t.code for t in synthesise_tests('def f(x: int, s: str):\\n', [])[1]), sep='\\n')"
    )
    here = "\n".join(test.code for test in synthesise_tests("def f(x: int, s: str):\n", [])[1])
    script = script.replace("import constants_of_some_module\n", "C = (73, 'never seen')\n")
    there = subprocess.run([sys.executable, "-c", script, "."], capture_output=True, text=True, check=True)
    assert there.stdout.strip() == here
    assert len(set(here.splitlines())) == 64


def test_a_text_or_a_program_of_a_megabyte_is_read_only_in_part() -> None:
    started = time.perf_counter()
    prompt = 'def f(x: int):\n    """' + "f(1) f((((" * 100_000 + '"""\n'
    large = "def f(x: int):\n    return [" + "1, " * 400_000 + "]\n"
    assert len(synthesise_tests(prompt, [large + str(n) for n in range(60)])[1]) >= 40
    assert time.perf_counter() - started < 10


def test_threads_draw_the_same_inputs_and_no_file_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda _: synthesise_tests("def f(x: list[str], y: float):\n", [])[1], range(8)))
    assert all(tests == found[0] for tests in found)
    assert not list(tmp_path.iterdir())
