"""The REST form of our own calls on a real gateway: answers, streams, errors, and their description."""

import json
import re
from pathlib import Path
from typing import Any

import httpx
import pytest

PROGRAMS = ["def add(a, b): return a + b", "def add(a, b): return b + a", "def add(a, b): return a - b"]
TESTS = ["assert add(1, 2) == 3", "assert add(0, 0) == 0"]


def events(http: httpx.Client, path: str, body: dict[str, Any]) -> list[tuple[str, Any]]:
    with http.stream("POST", path, json=body, headers={"accept": "text/event-stream"}) as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")
        lines = [line for line in answer.iter_lines() if line and not line.startswith(":")]
    names, values = lines[::2], lines[1::2]
    return [(name[7:], json.loads(value[6:])) for name, value in zip(names, values, strict=True)]


def test_select(http: httpx.Client) -> None:
    answer = http.post("/v1/select", json={"programs": PROGRAMS, "tests": TESTS}).json()
    assert answer["verdict"]["selected"] == 0
    assert answer["verdict"]["clusters"][0]["members"] == [0, 1]
    assert answer["entry_point"] == "add"
    as_in_files = {"id": "q", "candidates": [{"code": one, "mean_log_prob": -1.0} for one in PROGRAMS], "tests": TESTS}
    assert http.post("/v1/select", json=as_in_files).json()["verdict"] == answer["verdict"]
    seen = events(http, "/v1/select", {"programs": PROGRAMS, "tests": TESTS})
    assert seen[-1] == ("end", {})
    assert seen[-2][1]["final"] is True
    assert seen[-2][1]["answer"]["verdict"]["selected"] == 0


def test_execute(http: httpx.Client) -> None:
    body = {"programs": PROGRAMS, "tests": [*TESTS, {"code": "add(5, 5)"}], "entry_point": "add"}
    rows = http.post("/v1/execute", json=body).json()["rows"]
    assert [row["outcomes"] for row in rows] == [["passed", "passed", "returned"]] * 2 + [
        ["failed", "passed", "returned"]
    ]
    assert rows[2]["outputs"][2] == "0"
    seen = events(http, "/v1/execute", body)
    assert sorted(value["program"] for name, value in seen if name == "row") == [0, 1, 2]
    scripts = {"programs": ["print(input())"], "tests": [["a", "a"], ["a", "b"]]}
    [row] = http.post("/v1/execute", json=scripts).json()["rows"]
    assert row["outcomes"] == ["passed", "failed"]


def test_run(http: httpx.Client) -> None:
    body = {"program": "import sys; print(input(), sys.argv[1:])", "stdin": "a\n", "args": ["x"]}
    ended = http.post("/v1/run", json=body).json()["process"]
    assert (ended["ending"], ended["exit_code"], ended["stdout"]) == ("exited", 0, "a ['x']\n")
    seen = events(http, "/v1/run", {"program": "print(1)", "fetch_files": []})
    assert [name for name, _ in seen] == ["output", "result", "end"]
    binary = http.post("/v1/run", json={"program": "import sys; sys.stdout.buffer.write(sys.stdin.buffer.read())",
                                        "stdin": {"base64": "/wA="}}).json()  # fmt: skip
    assert binary["process"]["stdout"] == {"base64": "/wA="}


def test_rewards(http: httpx.Client) -> None:
    completions = [f"```python\n{one}\n```" for one in PROGRAMS]
    answer = http.post("/v1/rewards", json={"prompt": "Add.", "completions": completions, "tests": TESTS}).json()
    assert answer["rewards"] == [1.0, 1.0, 0.0]
    passing = {"prompt": "Add.", "completions": completions, "tests": TESTS, "kind": "passing"}
    assert http.post("/v1/rewards", json=passing).json()["rewards"] == [1.0, 1.0, 0.5]
    none = http.post("/v1/rewards", json={"prompt": "Hi", "completions": ["Hello!", "Hi!"]}).json()
    assert none["rewards"] == [0.0, 0.0]
    assert none["reason"]


@pytest.mark.parametrize(
    ("path", "body", "status", "words"),
    [
        ("/v1/select", {"program": []}, 400, "program: no such field; did you mean programs?"),
        ("/v1/select", {"programs": [1]}, 400, "programs[0]: expected a text, found a number"),
        ("/v1/select", {}, 400, "programs"),
        ("/v1/select", {"programs": ["x"], "selection": {"strategy": "luck"}}, 400, "luck"),
        ("/v1/select", {"programs": ["def f(x): return x.y"]}, 422, "parameter x"),
        ("/v1/run", {"program": "1", "limits": {"cpu_seconds": -1}}, 400, "limits.cpu_seconds"),
        ("/v1/run", {"program": "1", "language": "cobol"}, 400, "cobol"),
        ("/v1/cluster", {"rows": [], "stream": True}, 400, "stream"),
        ("/v1/nothing", {}, 404, "/openapi.json"),
    ],
)
def test_errors_are_problems_that_name_the_field(
    http: httpx.Client, path: str, body: dict[str, Any], status: int, words: str
) -> None:
    answer = http.post(path, json=body)
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert words in answer.json()["detail"]
    assert answer.json()["status"] == status


def test_the_description_names_every_path_and_field(http: httpx.Client) -> None:
    described = http.get("/openapi.json").json()
    assert {"/v1/select", "/v1/execute", "/v1/run", "/v1/rewards", "/run_code", "/submit"} <= set(described["paths"])
    schemas = described["components"]["schemas"]
    assert {"programs", "tests", "prompt", "inputs"} <= set(schemas["SelectRequest"]["properties"])
    assert schemas["SelectRequest"]["required"] == ["programs"]
    assert "passed" in json.dumps(schemas["Row"])
    references = {part.split('"')[0] for part in json.dumps(described).split("#/components/schemas/")[1:]}
    assert references <= set(schemas)
    assert http.get("/ready").json() == {"status": "ready"}


def test_the_calls_that_the_guide_and_the_readme_show_are_answered(http: httpx.Client) -> None:
    root = Path(__file__).parents[3]
    text = (root / "docs" / "guides" / "gateway.md").read_text() + (root / "README.md").read_text()
    shown = re.findall(r"^curl 127\.0\.0\.1:8080(\S+) -d '(.*)'$", text, re.MULTILINE)
    assert {path for path, _ in shown} == {"/v1/select", "/v1/run", "/v1/execute", "/v1/rewards", "/run_code"}
    for path, body in shown:
        answer = http.post(path, content=body.encode())
        assert answer.status_code == 200, (path, answer.text)
