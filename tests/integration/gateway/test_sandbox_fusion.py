"""SandboxFusion's paths of a real gateway: by hand, and by SandboxFusion's own client from PyPI."""

import base64
from typing import Any

import httpx
import pytest

ADD = "def add(a, b):\n    return a + b\n"


def run_code(http: httpx.Client, code: str, **fields: Any) -> dict[str, Any]:
    answer = http.post("/run_code", json={"code": code, "language": "python", **fields})
    assert answer.status_code == 200, answer.text
    return answer.json()


def submit(http: httpx.Client, completion: str, cases: list[tuple[str, str]], **config: Any) -> dict[str, Any]:
    test = [{"input": {"stdin": given}, "output": {"stdout": wanted}} for given, wanted in cases]
    row = {"id": 1, "content": "Add.", "test": test}
    fields = {"language": "python", "dataset_type": "CommonOJDataset", "provided_data": row, **config}
    answer = http.post("/submit", json={"dataset": "x", "id": 1, "completion": completion, "config": fields})
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_a_program_that_ends_is_a_success_with_its_output(http: httpx.Client) -> None:
    answer = run_code(http, "import sys; print(input()); print('e', file=sys.stderr)", stdin="hi", unknown_key=1)
    assert answer["status"] == "Success"
    assert answer["compile_result"] is None
    ended = answer["run_result"]
    assert (ended["status"], ended["return_code"], ended["stdout"], ended["stderr"]) == ("Finished", 0, "hi\n", "e\n")
    assert run_code(http, "print(repr(input()))", language="python", stdin=None)["run_result"]["return_code"] == 1


@pytest.mark.parametrize(
    ("code", "status", "return_code"),
    [
        ("raise SystemExit(3)", "Finished", 3),
        ("import os; os.kill(os.getpid(), 9)", "Finished", -9),
        ("1/0", "Finished", 1),
        ("while True: pass", "TimeLimitExceeded", None),
        ("import time; print('early', flush=True); time.sleep(60)", "TimeLimitExceeded", None),
        ("x = bytearray(900 << 20)", "Finished", 1),
    ],
)
def test_a_program_that_fails_says_how(http: httpx.Client, code: str, status: str, return_code: int | None) -> None:
    answer = run_code(http, code, run_timeout=1.5, memory_limit_MB=256)
    assert answer["status"] == "Failed"
    assert answer["run_result"]["status"] == status
    assert answer["run_result"]["return_code"] == return_code
    assert isinstance(answer["run_result"]["stdout"], str)
    assert ("early" in code) == ("early" in answer["run_result"]["stdout"])


def test_files_go_in_and_come_out(http: httpx.Client) -> None:
    code = "open('out.txt', 'w').write(open('in/a.txt').read() * 2); open('/mnt/b', 'w').write('b')"
    given = {"in/a.txt": base64.b64encode(b"xy").decode(), "left_out": None}
    answer = run_code(http, code, files=given, fetch_files=["out.txt", "/mnt/b", "missing"])
    assert {name: base64.b64decode(text) for name, text in answer["files"].items()} == {
        "out.txt": b"xyxy",
        "/mnt/b": b"b",
    }


def test_long_output_is_cut_and_marked_and_no_time_limit(http: httpx.Client) -> None:
    ended = run_code(http, "print('x' * (6 << 20))")["run_result"]
    assert (ended["status"], ended["truncated"], len(ended["stdout"])) == ("Finished", True, 4 << 20)
    whole = run_code(http, "print('x' * 200_000)")["run_result"]
    assert (whole["truncated"], len(whole["stdout"])) == (False, 200_001)


def test_nothing_of_the_machine_is_seen(http: httpx.Client) -> None:
    code = (
        "import os, socket\nprint(sorted(os.environ))\nprint(os.path.exists('/root/.ssh'), os.listdir('/'))\n"
        "try:\n    socket.create_connection(('127.0.0.1', 80), 1)\n    print('connected')\n"
        "except OSError as e:\n    print('closed')\n"
    )
    printed = run_code(http, code)["run_result"]["stdout"]
    assert "UCODER" not in printed
    assert "closed" in printed


def test_a_wrong_body_is_422_and_an_unknown_language_a_sandbox_error(http: httpx.Client) -> None:
    answer = http.post("/run_code", json={"language": "klingon", "files": {"a": "%%%"}})
    assert answer.status_code == 422
    assert {one["loc"][-1] for one in answer.json()["detail"]} >= {"code", "language"}
    assert http.post("/run_code", content=b"[1").status_code == 400
    rust = run_code(http, "fn main() {}", language="rust")
    assert rust["status"] == "SandboxError"
    assert rust["run_result"] is None


def test_submissions_are_judged_case_by_case(http: httpx.Client) -> None:
    program = "Here:\n```python\na, b = map(int, input().split())\nprint(a + b)\n```\nDone."
    cases = [("1 2", "3"), ("5 5", "10"), ("1 1", "3")]
    judged = submit(http, program, cases, extra={"run_all_cases": True})
    assert [one["passed"] for one in judged["tests"]] == [True, True, False]
    assert not judged["accepted"]
    assert judged["extracted_type"] == "fenced"
    assert submit(http, program, cases[:2])["accepted"]
    stopped = submit(http, program, [cases[2], *cases[:2]])
    assert [one["passed"] for one in stopped["tests"]] == [False]


@pytest.mark.parametrize(
    "cheat",
    [
        "import os\nos._exit(0)",
        "raise SystemExit(0)",
        "print()",
        "import sys\nprint(open(sys.argv[0]).read())",
        "import os\nfor path in ('.stdin', 'answer.txt', 'stdout.txt'):\n    print(os.path.exists(path))",
    ],
)
def test_no_cheat_passes(http: httpx.Client, cheat: str) -> None:
    assert not submit(http, f"```python\n{cheat}\n```", [("1 2", "3")])["accepted"]
    row = {"id": 1, "content": "Add.", "test": {"code": "assert add(1, 2) == 3\nassert add(2, 2) == 4"}}
    config = {"dataset_type": "AutoEvalDataset", "language": "python", "provided_data": row}
    judged = http.post(
        "/submit", json={"dataset": "x", "id": 1, "completion": f"```python\n{cheat}\n```", "config": config}
    )
    assert judged.status_code == 200
    assert judged.json()["accepted"] is False
    right = http.post("/submit", json={"dataset": "x", "id": 1, "completion": f"```python\n{ADD}```", "config": config})
    assert right.json()["accepted"] is True


def test_no_case_is_an_error_and_no_pass(http: httpx.Client) -> None:
    config = {"language": "python", "provided_data": {"id": 1, "content": "", "test": []}}
    answer = http.post("/submit", json={"dataset": "x", "id": 1, "completion": "print()", "config": config})
    assert answer.status_code == 400
    assert "at least one test" in answer.json()["detail"]


def test_the_data_set_paths_serve_given_rows(http: httpx.Client) -> None:
    config = {"language": "python", "provided_data": [{"id": 7, "content": "Add two numbers."}]}
    [prompt] = http.post("/get_prompts", json={"dataset": "x", "config": config}).json()
    assert prompt["id"] == 7
    assert prompt["prompt"].startswith("Add two numbers.")
    assert http.post("/list_ids", json={"dataset": "x", "config": config}).json() == [7]
    assert http.get("/list_datasets").json() == []
    assert http.get("/v1/ping").text == '"pong"'
    results = [{"accepted": True}, {"accepted": False}]
    assert http.post("/get_metrics", json={"dataset": "x", "config": {}, "results": results}).json() == {
        "accuracy": 0.5
    }


def test_their_own_client_works_unchanged(gateway_url: str) -> None:
    fusion = pytest.importorskip("sandbox_fusion")
    fusion.set_endpoint(gateway_url)
    answer = fusion.run_code(fusion.RunCodeRequest(code="print(41 + 1)", language="python"))
    assert answer.status == fusion.RunStatus.Success
    assert answer.run_result.stdout == "42\n"
    failed = fusion.run_code(fusion.RunCodeRequest(code="1/0", language="python"))
    assert failed.status == fusion.RunStatus.Failed
    data = {"id": 1, "content": "x", "test": [{"input": {"stdin": "2"}, "output": {"stdout": "4"}}]}
    config = fusion.TestConfig(dataset_type="CommonOJDataset", language="python", provided_data=data)
    request = fusion.SubmitRequest(
        dataset="x", id=1, completion="```python\nprint(2 * int(input()))\n```", config=config
    )
    assert fusion.submit(request).accepted
