"""Wrong input gives one line that names the thing and the fix, exit code 2, and no partial file."""

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest


def ucoder(*words: str, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "ucoder", *words],
        env={**os.environ, **variables}, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip


def refused(done: subprocess.CompletedProcess[str], *words: str) -> None:
    assert done.returncode == 2, done.stdout + done.stderr
    assert len(done.stderr.strip().splitlines()) == 1, done.stderr
    for word in words:
        assert word in done.stderr


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("loop: {brief: 3}", ["unknown key loop.brief", "did you mean loop.briefs?"]),
        ("model: {base: /no/such/model}", ["model.base", "/no/such/model", "config.json"]),
        ("model: {profile: sed}", ["sed", "seed"]),
        ("evaluation: {benchmark: /no/such/file.jsonl}", ["/no/such/file.jsonl"]),
        ("selection: {strategy: best}", ["selection.strategy", "b4"]),
    ],
)
def test_a_wrong_configuration(tmp_path: Path, text: str, words: list[str]) -> None:
    file = tmp_path / "run.yaml"
    file.write_text(text)
    refused(ucoder("run", "--config", str(file), "--out", str(tmp_path / "out")), *words)
    assert not (tmp_path / "out" / "report.json").exists()


def test_a_dev_split_that_shares_a_task_with_the_benchmark(tmp_path: Path) -> None:
    task = {
        "task_id": "Reported/0", "entry_point": "add", "canonical_solution": "    return a + b\n",
        "prompt": 'def add(a: int, b: int) -> int:\n    """Add two numbers."""\n',
        "test": "def check(candidate):\n    assert candidate(1, 2) == 3\n",
    }  # fmt: skip
    (tmp_path / "reported.jsonl").write_text(json.dumps(task))
    (tmp_path / "dev.jsonl").write_text(json.dumps(task | {"task_id": "Mine/7"}))
    config = {
        f"{split}{rest}": value
        for split, name in (("benchmark", "reported"), ("dev", "dev"))
        for rest, value in (("", str(tmp_path / f"{name}.jsonl")), ("_format", "humaneval"))
    }
    file = tmp_path / "run.yaml"
    file.write_text(json.dumps({"evaluation": config}))
    done = ucoder("run", "--preset", "demo", "--config", str(file), "--out", str(tmp_path / "out"))
    refused(done, "evaluation.dev", "Mine/7", "Reported/0", "never choose on what is reported")


def test_a_mistyped_variable(tmp_path: Path) -> None:
    done = ucoder("run", "--preset", "demo", "--out", str(tmp_path / "out"), UCODER_CELS="2")
    refused(done, "UCODER_CELS", "UCODER_CELLS")


def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    refused(ucoder("run", "--preset", "demo", "--out", str(tmp_path / "file" / "out")), "--out", "file/out")


def test_resuming_nothing(tmp_path: Path) -> None:
    refused(ucoder("run", "--resume", "--out", str(tmp_path)), "holds no run")


def test_a_busy_port_and_an_absent_bus() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        done = ucoder("serve", "consensus", UCODER_NATS_URL=f"nats://127.0.0.1:{port}", UCODER_NATS_WAIT_SECONDS="1")
        refused(done, "no NATS server answers", "UCODER_NATS_URL")


def test_a_disk_that_is_too_small(tmp_path: Path) -> None:
    small = tmp_path / "small"
    small.mkdir()
    if subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=8m", "none", small], check=False, capture_output=True
    ).returncode:
        pytest.skip("needs the right to mount a small tmpfs")
    try:
        refused(ucoder("run", "--preset", "demo", "--out", str(small / "out")), "MB free", "--out")
    finally:
        subprocess.run(["umount", small], check=True)


def test_input_files_are_named_by_line(tmp_path: Path) -> None:
    bad = tmp_path / "in.jsonl"
    out = tmp_path / "out.jsonl"
    bad.write_text('{"id": 1, "candidates": [], "tests": []}\n{"id": 2}\n')
    refused(ucoder("execute", str(bad), "-o", str(out)), "in.jsonl:2", "candidates")
    bad.write_text("not json\n")
    refused(ucoder("select", str(bad), "-o", str(out)), "in.jsonl:1", "not JSON")
    refused(ucoder("select", str(tmp_path / "absent"), "-o", str(out)), "absent")
    assert not out.exists()
