"""Every public format becomes the same BenchmarkTask; an error in a file names its line."""

import base64
import gzip
import json
import os
import pickle
import random
import zlib
from pathlib import Path
from typing import Any

import pytest

from ucoder.core.outcomes import Outcome
from ucoder.core.test_plans import CallPlan, read_plan
from ucoder.core.value_comparison import judge
from ucoder.errors import Misconfigured
from ucoder.evaluator.benchmarks import FORMATS, load_benchmark
from ucoder.evaluator.benchmarks.dev_split import check_disjoint, load_with_dev_split
from ucoder.evaluator.benchmarks.evalplus_agreement import agree
from ucoder.v1 import config_pb2

HUMANEVAL = {
    "task_id": "HumanEval/0", "prompt": 'def twice(x: int) -> int:\n    """Double."""\n', "entry_point": "twice",
    "canonical_solution": "    return 2 * x\n", "test": "def check(candidate):\n    assert candidate(2) == 4\n",
}  # fmt: skip
EVALPLUS = {
    "task_id": "Mbpp/1", "prompt": '"""\nJoin.\nassert join((1, 2), [3]) == (1, 2, 3)\n"""\n', "entry_point": "join",
    "canonical_solution": "def join(a, b):\n    return a + tuple(b)\n", "base_input": [[[1, 2], [3]]],
    "plus_input": [[[i], [i]] for i in range(25)], "atol": 0, "contract": "",
    "assertion": "assert join((1, 2), [3]) == (1, 2, 3)",
}  # fmt: skip
MBPP = {
    "task_id": 11, "text": "Double it.", "code": "def twice(x):\r\n    return 2 * x", "test_setup_code": "import math",
    "test_list": ["assert twice(2) == 4", "assert twice(0) == 0"], "challenge_test_list": [],
}  # fmt: skip
FUSION_MBPP = {"content": "Double it.", "id": 12, "labels": {"test_setup_code": ""}, "canonical_solution": MBPP["code"],
               "test_list": MBPP["test_list"]}  # fmt: skip
PUBLIC = [{"input": "1\n", "output": "2\n", "testtype": "stdin"}]
LIVE = {
    "question_id": "abc_a", "question_content": "Add one.", "starter_code": "", "metadata": "{}", "difficulty": "easy",
    "public_test_cases": json.dumps(PUBLIC),
    "private_test_cases": base64.b64encode(zlib.compress(pickle.dumps(json.dumps(PUBLIC * 2)))).decode(),
}  # fmt: skip
METHOD = [{"input": '[1, 2]\n"a"', "output": "[2]", "testtype": "functional"}]
LIVE_METHOD = {**LIVE, "starter_code": "class Solution:\n    def f(self, xs, a):\n", "metadata": '{"func_name": "f"}',
               "public_test_cases": json.dumps(METHOD), "private_test_cases": "[]"}  # fmt: skip
BIG = {
    "task_id": "BigCodeBench/0", "complete_prompt": "import math\ndef task_func(x):\n    '''Root.'''\n",
    "instruct_prompt": "Write the root.", "code_prompt": "import math\ndef task_func(x):\n", "entry_point": "task_func",
    "canonical_solution": "    return math.sqrt(x)\n",
    "test": "import unittest\n\n\nclass T(unittest.TestCase):\n    def test(self): task_func(1)\n",
}  # fmt: skip
FULL = {
    "id": 7, "content": "Double it.", "canonical_solution": "def twice(x): return 2 * x",
    "labels": json.dumps({"programming_language": "python", "category": "Basic"}),
    "test": {"code": "assert twice(1) == 2", "asset": None},
}  # fmt: skip
SAMPLES = {
    "humaneval": HUMANEVAL, "humaneval_plus": EVALPLUS, "mbpp": MBPP, "mbpp_plus": EVALPLUS, "livecodebench": LIVE,
    "bigcodebench": BIG, "bigcodebench_instruct": BIG, "fullstackbench": FULL,
}  # fmt: skip


def first_task(tmp_path: Path, form: str, *entries: Any) -> Any:
    path = tmp_path / f"{form}.jsonl"
    path.write_text("".join(json.dumps(entry) + "\n" for entry in entries))
    return load_benchmark(str(path), form)[0]


def test_every_format_is_covered() -> None:
    assert set(SAMPLES) == set(FORMATS)


@pytest.mark.parametrize("form", [form for form in SAMPLES if form != "livecodebench"])
def test_the_reference_becomes_a_program_that_defines_what_is_tested(tmp_path: Path, form: str) -> None:
    task = first_task(tmp_path, form, SAMPLES[form])
    scope: dict[str, Any] = {}
    exec(task.program(task.canonical_solution), scope)
    assert callable(scope[task.entry_point or "twice"])
    assert task.tests


def test_evalplus_inputs_get_the_types_that_the_assertions_show(tmp_path: Path) -> None:
    task = first_task(tmp_path, "mbpp_plus", EVALPLUS)
    assert len(task.tests) == 1 + 3
    assert "inputs = [((1, 2), [3])]" in task.tests[0].code
    scope: dict[str, Any] = {}
    exec(task.canonical_solution, scope)
    for test in task.tests:
        exec(test.code, dict(scope))  # the reference agrees with itself
    with pytest.raises(AssertionError):
        exec(task.tests[1].code, {"join": lambda a, b: a})


@pytest.mark.parametrize(
    ("name", "given", "result", "expected", "tolerance", "wanted"),
    [
        ("f", (1,), [1.0000001], [1.0], 0, True),
        ("f", (1,), [1.001], [1.0], 0, False),
        ("f", (1,), 1.00005, 1.0, 1e-4, True),
        ("f", (1,), (1, 2), [1, 2], 1e-4, False),
        ("f", (1,), [1, [2.00001]], [1, [2.0]], 1e-4, True),
        ("similar_elements", ([1], [1]), [2, 1], (1, 2), 0, True),
        ("check_str", ("a",), "anything", True, 0, True),
        ("check_str", ("a",), None, True, 0, False),
        ("are_equivalent", (1, 2), "x", False, 0, True),
        ("digit_distance_nums", (123, 56), 1 + 3 + 3, 5, 0, True),
        ("find_zero", ([-6, 11, -6, 1],), 1.0, 2.0, 1e-4, True),
        ("find_zero", ([-6, 11, -6, 1],), 1.5, 2.0, 1e-4, False),
    ],
)
def test_answers_are_compared_by_evalplus_rules(
    name: str, given: Any, result: Any, expected: Any, tolerance: float, wanted: bool
) -> None:
    assert agree(name, given, result, expected, tolerance) is wanted


def test_mbpp_prompts_show_the_words_and_the_first_test(tmp_path: Path) -> None:
    for entry in (MBPP, FUSION_MBPP):
        task = first_task(tmp_path, "mbpp", entry)
        assert task.prompt == '"""\nDouble it.\nassert twice(2) == 4\n"""\n'
        assert len(task.tests) == 2


def test_livecodebench_has_scripts_and_methods(tmp_path: Path) -> None:
    script = first_task(tmp_path, "livecodebench", LIVE)
    assert [(test.stdin, test.expected_stdout) for test in script.tests] == [("1\n", "2\n")] * 3
    assert (
        script.program("Sure:\n```python\nprint(int(input()) + 1)\n```\n")
        == script.preamble + "print(int(input()) + 1)\n"
    )
    method = first_task(tmp_path, "livecodebench", LIVE_METHOD)
    plan = read_plan(method.tests[0], method.entry_point)
    assert isinstance(plan, CallPlan)
    assert judge(plan, "(2,)") == judge(plan, "[2]") == Outcome.PASSED
    assert "class Solution" in method.program("def f(xs, a):\n    return (xs[1],)\n")


def test_a_pickle_that_would_run_code_is_refused(tmp_path: Path) -> None:
    class Evil:
        def __reduce__(self) -> Any:
            return os.system, (f"touch {tmp_path / 'ran'}",)

    bomb = {**LIVE, "private_test_cases": base64.b64encode(zlib.compress(pickle.dumps(Evil()))).decode()}
    with pytest.raises(Misconfigured, match=r":1: the compressed tests are broken: it asks for \w+\.system"):
        first_task(tmp_path, "livecodebench", bomb)
    assert not (tmp_path / "ran").exists()


def test_other_languages_of_fullstackbench_are_skipped(tmp_path: Path) -> None:
    other = {**FULL, "id": 8, "labels": {"programming_language": "cpp"}}
    assert first_task(tmp_path, "fullstackbench", other, FULL).task_id == "FullStackBench/7"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "holds no task"),
        (json.dumps(HUMANEVAL).encode()[:-20], ":1: "),
        (json.dumps({**HUMANEVAL, "test": None}).encode(), ":1: "),
        (
            (json.dumps(HUMANEVAL) + "\n\n" + json.dumps(HUMANEVAL)).encode(),
            ":3: task HumanEval/0 stands on line 1 already",
        ),
        (json.dumps({k: v for k, v in HUMANEVAL.items() if k != "prompt"}).encode(), ":1: no key 'prompt'"),
        (b"[1, 2]\n", ":1: "),
        (gzip.compress(random.Random(1).randbytes(9000).hex().encode())[:-900], ":1: the file is cut off here"),
        (json.dumps(HUMANEVAL).encode() + b"\n\xff\xfe", ": not UTF-8 text"),
        (json.dumps({**HUMANEVAL, "prompt": 5}).encode(), ":1: prompt is 5, not a text"),
    ],
)
def test_an_error_in_a_file_names_file_and_line(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "b.jsonl"
    path.write_bytes(content)
    with pytest.raises(Misconfigured, match=message) as caught:
        load_benchmark(str(path))
    assert "b.jsonl" in str(caught.value)


def test_a_line_separator_inside_a_text_does_not_end_the_line(tmp_path: Path) -> None:
    path = tmp_path / "b.jsonl"
    path.write_text(json.dumps({**HUMANEVAL, "prompt": HUMANEVAL["prompt"] + "# \u2028\n"}, ensure_ascii=False))
    assert "\u2028" in load_benchmark(str(path))[0].prompt


def test_an_unknown_format_is_rejected_with_the_known_ones() -> None:
    with pytest.raises(Misconfigured, match="livecodebench"):
        load_benchmark("x", "humanevil")


def test_a_dev_split_that_shares_a_task_with_the_benchmark_is_refused(tmp_path: Path) -> None:
    other = {**HUMANEVAL, "task_id": "HumanEval/1", "prompt": "def more(x):\n    pass\n", "test": "def check(f): f(1)"}
    load_with_dev_split(config_pb2.EvaluationConfig(benchmark="seed", dev="seed"))
    mine = first_task(tmp_path, "humaneval", HUMANEVAL)
    check_disjoint([mine], [first_task(tmp_path, "humaneval", other)])
    renamed = {**HUMANEVAL, "task_id": "mine/7", "prompt": HUMANEVAL["prompt"].upper(), "test": other["test"]}
    with pytest.raises(Misconfigured, match=r"1 of its 2 tasks .* mine/7 for one \(there HumanEval/0\)"):
        check_disjoint([mine], [first_task(tmp_path, "humaneval", other), first_task(tmp_path, "humaneval", renamed)])
    with pytest.raises(Misconfigured, match="never choose on what is reported"):
        check_disjoint(
            [first_task(tmp_path, "bigcodebench", BIG)], [first_task(tmp_path, "bigcodebench_instruct", BIG)]
        )
