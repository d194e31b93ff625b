"""The code API of open-instruct on a real gateway."""

import base64
import json
import pickle
import zlib
from typing import Any

import httpx
import pytest

ADD = "def add(a, b):\n    return a + b\n"


def results(http: httpx.Client, program: str, tests: Any, path: str = "/test_program") -> list[int]:
    answer = http.post(path, json={"program": program, "tests": tests, "max_execution_time": 1.0})
    assert answer.status_code == 200, answer.text
    found = answer.json()
    assert len(found["results"]) == len(found["runtimes"])
    assert all((one == 1) == (seconds >= 0) for one, seconds in zip(found["results"], found["runtimes"], strict=True))
    return list(found["results"])


def test_asserts_are_judged_one_by_one(http: httpx.Client) -> None:
    tests = ["assert add(1, 2) == 3", "assert add(1, 2) == 4", "assert add('a', 'b') == 'ab'"]
    assert results(http, ADD, tests) == [1, 0, 1]
    assert results(http, ADD, json.dumps(tests)) == [1, 0, 1]
    assert results(http, ADD, []) == []
    assert results(http, "import os\n" + ADD, tests) == [1, 0, 1]
    assert results(http, "while True:\n    pass\n", tests[:1]) == [0]


@pytest.mark.parametrize("cheat", ["raise SystemExit(0)", "import os\nos._exit(0)", "exit = add = lambda *a: Ellipsis"])
def test_no_cheat_passes(http: httpx.Client, cheat: str) -> None:
    assert results(http, cheat, ["assert add(1, 2) == 3"]) == [0]


def test_scripts_are_judged_by_their_output(http: httpx.Client) -> None:
    tests = [{"input": "1 2", "output": "3"}, {"input": "1 1", "output": "3"}, {"input": "2 2", "output": "4.0"}]
    program = "a, b = map(int, input().split())\nprint(a + b)"
    assert results(http, program, tests, "/test_program_stdio") == [1, 0, 1]


def test_pickled_tests_are_read_without_running_them(http: httpx.Client) -> None:
    def packed(value: object) -> str:
        return base64.b64encode(zlib.compress(pickle.dumps(value))).decode()

    assert results(http, ADD, packed(["assert add(1, 2) == 3"])) == [1]
    assert results(http, ADD, packed(json.dumps(["assert add(1, 2) == 3"]))) == [1]
    for tests in (packed([print]), "no list", {"a": 1}, None):
        answer = http.post("/test_program", json={"program": ADD, "tests": tests})
        assert answer.status_code == 422, answer.text
    assert http.get("/health").json() == {"status": "healthy"}
