"""ScaleBox's paths of a real gateway: what its clients expect, and what its own server gets wrong."""

from typing import Any

import httpx
import pytest

ECHO = "```python\nprint(input())\n```"


def judged(
    http: httpx.Client, completion: str, cases: dict[str, Any], status: int = 200, **extra: Any
) -> dict[str, Any]:
    config = {"language": "python", "provided_data": {"test_cases": cases}, "extra": {"run_all_cases": True, **extra}}
    answer = http.post("/common_evaluate_batch", json={"completion": completion, "config": config})
    assert answer.status_code == status, answer.text
    return answer.json()


def stdio(given: list[str], wanted: list[str]) -> dict[str, Any]:
    return {"type": "stdin_stdout", "input": given, "output": wanted, "fn_name": None}


def test_cases_keep_their_order(http: httpx.Client) -> None:
    answer = judged(
        http, ECHO, stdio([str(one) for one in range(12)], [str(one if one % 3 else -1) for one in range(12)])
    )
    assert [one["passed"] for one in answer["tests"]] == [bool(one % 3) for one in range(12)]
    assert answer["tests"][5]["test_info"] == {"input": {"stdin": "5"}, "output": {"stdout": "5"}}
    assert answer["accepted"] is False


@pytest.mark.parametrize("wanted", ["1\n2", ""])
def test_a_prefix_or_an_extension_of_the_answer_is_wrong(http: httpx.Client, wanted: str) -> None:
    assert not judged(http, ECHO, stdio(["1"], [wanted]))["accepted"]


FUNCTION = {"type": "function_call", "input": [[2], [3]], "output": [[4], [6]], "fn_name": "double"}


def test_functions_are_called(http: httpx.Client) -> None:
    answer = judged(http, "```python\ndef double(x):\n    return 2 * x\n```", FUNCTION)
    assert answer["accepted"] is True
    solution = "```python\nclass Solution:\n    def double(self, x: int) -> List[int]:\n        return 2 * x\n```"
    assert judged(http, solution, FUNCTION)["accepted"] is True
    as_text = {**FUNCTION, "input": ["2", "3"], "json_input": True}
    assert judged(http, "```python\ndef double(x):\n    return 2 * x\n```", as_text)["accepted"] is True


@pytest.mark.parametrize(
    "cheat",
    [
        "exit(0)",
        "def double(x):\n    raise SystemExit",
        "def double(x):\n    import os\n    os._exit(0)",
        "class E:\n    def __eq__(self, o):\n        return True\n    __hash__ = None\ndef double(x):\n    return E()",
        "import builtins\nbuiltins.AssertionError = Exception\ndef double(x):\n    return 1",
    ],
)
def test_no_cheat_passes(http: httpx.Client, cheat: str) -> None:
    answer = judged(http, f"```python\n{cheat}\n```", FUNCTION)
    assert answer["accepted"] is False
    assert [one["passed"] for one in answer["tests"]] == [False, False]


def test_a_special_judge_decides_where_lines_differ(http: httpx.Client) -> None:
    judge = (
        "wanted, said = open('stdout.txt').read().split(), open('answer.txt').read().split()\n"
        "raise SystemExit(0 if sorted(wanted) == sorted(said) else 1)"
    )
    cases = stdio(["1 2", "3 4"], ["2 1", "3 5"])
    answer = judged(http, ECHO, cases, special_judge_program=judge)
    assert [one["passed"] for one in answer["tests"]] == [True, False]


def test_asserts_and_missing_keys(http: httpx.Client) -> None:
    asserts = {"type": "assert", "tests": "assert double(2) == 4\nassert double(0) == 0", "stop_tokens": []}
    assert judged(http, "```python\ndef double(x):\n    return 2 * x\n```", asserts)["accepted"]
    assert not judged(http, "```python\ndef double(x):\n    return x\n```", asserts)["accepted"]
    assert judged(http, ECHO, {"input": ["a"], "output": ["a"]})["accepted"]
    assert "at least one case" in judged(http, ECHO, stdio([], []), 400)["detail"]


def test_a_list_of_cases_with_their_own_types(http: httpx.Client) -> None:
    data = [{"type": "stdin_stdout", "input": "a", "output": "a", "fn_name": None}] * 2
    config = {"language": "python", "provided_data": data}
    answer = http.post("/common_evaluate", json={"completion": ECHO, "config": config})
    assert answer.json()["accepted"] is True
    assert len(answer.json()["tests"]) == 2
