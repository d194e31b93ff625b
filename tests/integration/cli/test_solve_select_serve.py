"""`ucoder solve`, `ucoder select --tests none` and `ucoder serve`, as a user types them."""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest

RIGHT, ALSO_RIGHT, WRONG = "    return a + b\n", "    return b + a\n", "    return a - b\n"
TASK = 'def add(a: int, b: int) -> int:\n    """The sum."""\n'
TESTS = (
    "from solution import add\nimport pytest\n\ndef test_add():\n    assert add(1, 2) == 3\n    assert add(0, 1) == 1\n"
)


class Completions(BaseHTTPRequestHandler):
    """A model server whose every third completion is wrong."""

    def do_GET(self) -> None:
        self._answer({"data": [{"id": "tiny"}]})

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        texts = [(RIGHT, ALSO_RIGHT, WRONG)[index % 3] for index in range(body["n"])]
        logprobs = {"token_logprobs": [-0.5, -0.1]}
        choices = [{"index": i, "text": t, "logprobs": logprobs, "finish_reason": "stop"} for i, t in enumerate(texts)]
        self._answer({"choices": choices, "usage": {"completion_tokens": 2 * len(choices)}})

    def _answer(self, content: dict[str, Any]) -> None:
        data = json.dumps(content).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture(scope="module")
def model() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Completions) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/v1"
        server.shutdown()
        thread.join()


def ucoder(*arguments: str, folder: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "ucoder", *arguments]
    quiet = {name: value for name, value in os.environ.items() if not name.startswith("UCODER_")}
    return subprocess.run(command, capture_output=True, text=True, cwd=folder, env=quiet, timeout=120, check=False)


def test_solve_writes_the_best_program_and_its_evidence(model: str, served: str, tmp_path: Path) -> None:
    (tmp_path / "task.py").write_text(TASK)
    (tmp_path / "tests.py").write_text(TESTS)
    flags = ("--model", model, "--consensus", served, "-n", "48")
    done = ucoder("solve", "task.py", *flags, "--tests", "tests.py", "-o", "best.py", folder=tmp_path)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "best.py").read_text() in (TASK + RIGHT, TASK + ALSO_RIGHT)
    assert "on add(1, 2): A says 3, B says -1" in done.stderr
    assert "3 programs run, 45 were duplicates" in done.stderr
    done = ucoder("solve", "task.py", *flags, "--json", folder=tmp_path)
    answer = json.loads(done.stdout)
    assert (len(answer["tests"]), answer["entry_point"]) == (64, "add")
    assert answer["verdict"]["clusters"][0]["share"] == 33 / 48


def test_solve_reports_errors(model: str, served: str, tmp_path: Path) -> None:
    (tmp_path / "task.py").write_text(TASK)
    done = ucoder("solve", "absent.py", "--model", model, "--consensus", served, folder=tmp_path)
    assert (done.returncode, done.stderr) == (2, "ucoder: absent.py: No such file or directory.\n")
    flags = ("--model", model, "--consensus", served, "-n", "3", "--min-confidence", "0.9999")
    done = ucoder("solve", "task.py", *flags, folder=tmp_path)
    assert done.returncode == 1
    assert "abstained: below_min_confidence" in done.stderr
    assert done.stdout == ""


def test_select_without_tests(tmp_path: Path) -> None:
    programs = [{"code": TASK + body} for body in (WRONG, RIGHT, ALSO_RIGHT)]
    bare = {"id": "bare", "prompt": TASK, "entry_point": "add", "candidates": programs}
    own = {**bare, "id": "own", "tests": [{"code": "assert add(1, 2) == 3"}, {"code": "add(2, 2)"}]}
    mute = {"id": "mute", "candidates": [{"code": "print(1)"}, {"code": "x = 2"}, {"code": "x  =  2"}]}
    empty = {"id": "empty", "candidates": []}
    (tmp_path / "in.jsonl").write_text("\n".join(map(json.dumps, (bare, own, mute, empty))))
    for flags, kinds in (
        ((), {"bare": "synthesised", "own": "own", "mute": "none", "empty": "none"}),
        (("--tests", "none"), {"bare": "synthesised", "own": "synthesised", "mute": "none", "empty": "none"}),
    ):
        done = ucoder("select", "in.jsonl", "-o", "out.jsonl", "--cells", "1", *flags, folder=tmp_path)
        assert done.returncode == 0, done.stderr
        lines = {line["id"]: line for line in map(json.loads, (tmp_path / "out.jsonl").read_text().splitlines())}
        assert {name: line["tests"] for name, line in lines.items()} == kinds
        for name in ("bare", "own"):
            assert lines[name]["selected"] in (1, 2)
            assert sorted(lines[name]["clusters"][0]["members"]) == [1, 2]
            assert lines[name]["calibrated"]
        assert lines["mute"]["selected"] in (1, 2)
        assert (lines["mute"]["confidence"], lines["mute"]["calibrated"]) == (0.6667, False)
        assert (lines["empty"]["selected"], lines["empty"]["reason"]) == (None, "no_programs")
        assert "theorem_bound" not in lines["own"]


def test_select_adds_the_bound_of_theorem_2_4_on_request(tmp_path: Path) -> None:
    programs = [{"code": TASK + body} for body in (RIGHT, ALSO_RIGHT, WRONG, "    return a\n")]
    question = {"id": "q", "entry_point": "add", "candidates": programs, "tests": [{"code": "add(1, 2)"}]}
    empty = {"id": "empty", "candidates": []}
    (tmp_path / "in.jsonl").write_text("\n".join(map(json.dumps, (question, empty))))
    done = ucoder("select", "in.jsonl", "-o", "out.jsonl", "--cells", "1", "--theorem-bound", folder=tmp_path)
    assert done.returncode == 0, done.stderr
    lines = {line["id"]: line for line in map(json.loads, (tmp_path / "out.jsonl").read_text().splitlines())}
    bound = lines["q"]["theorem_bound"]
    assert (bound["programs"], bound["tests"], bound["collision_rate"], bound["printed"]) == (4, 1, 0.0, 0.95)
    assert len(bound["premises"]) == 4
    assert bound["sentence"].startswith("Theorem 2.4: 4 programs, 1 tests")
    assert lines["empty"]["theorem_bound"] is None


def test_serve_gateway_listens_answers_and_ends_when_told(model: str, served: str, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "ucoder", "serve", "gateway", "--upstream", model, "-n", "6"]
    environment = {**os.environ, "UCODER_PEERS": f"consensus={served},sandbox_runner={served}"}
    with subprocess.Popen(
        [*command, "--listen", "127.0.0.1:0"], stderr=subprocess.PIPE, text=True, env=environment
    ) as gateway:
        assert gateway.stderr is not None
        url = gateway.stderr.readline().split()[1]
        answer = httpx.post(f"{url}/v1/completions", json={"model": "tiny", "prompt": TASK}, timeout=60).json()
        assert answer["choices"][0]["text"] in (RIGHT, ALSO_RIGHT)
        assert answer["ucoder"]["n"] == 6
        gateway.send_signal(signal.SIGTERM)
        assert gateway.wait(30) == 0
        assert gateway.stderr.read() == ""
    with socket.create_server(("127.0.0.1", 0)) as busy:
        there = f"127.0.0.1:{busy.getsockname()[1]}"
        done = ucoder("serve", "gateway", "--upstream", model, "--listen", there, folder=tmp_path)
    error = f"ucoder: UCODER_GATEWAY_LISTEN={there}: Address already in use; give another HOST:PORT.\n"
    assert (done.returncode, done.stderr) == (2, error)
    done = ucoder("serve", "trainer", "--standalone", folder=tmp_path)
    assert "gateway, consensus, sandbox_runner can be standalone" in done.stderr


def test_run_code_is_the_program_s_output_and_exit_code(tmp_path: Path) -> None:
    (tmp_path / "main.py").write_text(
        "import sys\nprint(open('data.csv').read(), sys.argv[1:], input())\n"
        "open('out.txt', 'w').write('made')\nprint('warned', file=sys.stderr)\nraise SystemExit(3)\n"
    )
    (tmp_path / "data.csv").write_text("1;2")
    command = ("run-code", "main.py", "a", "b", "--file", "data.csv", "--fetch", "out.txt", "--stdin", "data.csv")
    done = ucoder(*command, folder=tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (3, "1;2 ['a', 'b'] 1;2\n", "warned\n")
    assert (tmp_path / "out.txt").read_text() == "made"


def test_run_code_ends_a_program_at_its_limit(served: str, tmp_path: Path) -> None:
    (tmp_path / "loop.py").write_text("print('begun', flush=True)\nwhile True: pass\n")
    done = ucoder("run-code", "loop.py", "--seconds", "0.5", "--sandbox", served, folder=tmp_path)
    assert (done.returncode, done.stdout) == (124, "begun\n")
    assert "limit of processor time" in done.stderr
    assert "absent.py: No such file" in ucoder("run-code", "absent.py", folder=tmp_path).stderr
