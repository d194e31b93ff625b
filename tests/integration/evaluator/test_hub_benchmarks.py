"""A benchmark on the Hugging Face hub is read by the hub's own client, here from a test hub on loopback."""

import hashlib
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from ucoder.errors import Misconfigured
from ucoder.runtime.dataset_files import read_rows

COMMIT = "0123456789abcdef0123456789abcdef01234567"
TASK = {
    "task_id": "Sum/add", "entry_point": "add", "canonical_solution": "    return a + b\n",
    "prompt": 'def add(a: int, b: int) -> int:\n    """Add two numbers."""\n',
    "test": "def check(candidate):\n    assert candidate(1, 2) == 3\n",
}  # fmt: skip


def parquet(path: Path) -> bytes:
    pq.write_table(pa.Table.from_pylist([TASK]), path)
    return path.read_bytes()


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[str]:
    """The address of a hub with one dataset of two files."""
    files = {
        "tasks.jsonl": json.dumps(TASK).encode(),
        "data/test.parquet": parquet(tmp_path / "made.parquet"),
    }

    class Handler(BaseHTTPRequestHandler):
        def do_HEAD(self) -> None:
            self.answer(whole=False)

        def do_GET(self) -> None:
            self.answer(whole=True)

        def answer(self, whole: bool) -> None:
            name = self.path.partition("/datasets/us/sums/resolve/main/")[2]
            found = files.get(name)
            self.send_response(200 if found is not None else 404)
            self.send_header("X-Repo-Commit", COMMIT)
            if found is None:
                self.send_header("X-Error-Code", "EntryNotFound")
            body = found or b""
            self.send_header("ETag", f'"{hashlib.sha256(body).hexdigest()}"')
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if whole:
                self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        serving = threading.Thread(target=server.serve_forever)
        serving.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        serving.join()


def evaluate(hub: str, data: str, folder: Path, *, offline: bool = False) -> subprocess.CompletedProcess[str]:
    samples = folder / "samples.jsonl"
    samples.write_text(json.dumps({"task_id": "Sum/add", "completion": "    return a + b\n"}))
    words = ("--benchmark", "humaneval", "--data", data, "--samples", str(samples), "--isolation", "none", "--json")
    return subprocess.run(
        [sys.executable, "-m", "ucoder", "evaluate", *words],
        env={
            **os.environ, "HF_ENDPOINT": hub, "HF_HOME": str(folder / "hf"), "HF_HUB_OFFLINE": str(int(offline)),
            "HF_HUB_DISABLE_PROGRESS_BARS": "1",
        },
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip


@pytest.mark.parametrize("file", ["tasks.jsonl", "data/test.parquet"])
def test_a_file_of_the_hub_is_downloaded_once(hub: str, tmp_path: Path, file: str) -> None:
    done = evaluate(hub, f"hf://datasets/us/sums/{file}", tmp_path)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["pass@1"] == 1.0
    again = evaluate(hub, f"hf://datasets/us/sums/{file}", tmp_path, offline=True)
    assert (again.returncode, again.stdout) == (0, done.stdout), again.stderr


@pytest.mark.parametrize(
    ("name", "words"),
    [("hf://datasets/us/sums/none.jsonl", "none.jsonl"), ("hf://datasets/us", "hf://datasets/OWNER/NAME/FILE")],
)
def test_a_file_that_the_hub_does_not_have_is_named(hub: str, tmp_path: Path, name: str, words: str) -> None:
    done = evaluate(hub, name, tmp_path)
    assert done.returncode == 2
    assert len(done.stderr.strip().splitlines()) == 1, done.stderr
    assert words in done.stderr


def test_offline_a_file_that_is_not_cached_is_named(hub: str, tmp_path: Path) -> None:
    done = evaluate(hub, "hf://datasets/us/sums/tasks.jsonl", tmp_path, offline=True)
    assert done.returncode == 2
    assert len(done.stderr.strip().splitlines()) == 1, done.stderr
    assert "hf://datasets/us/sums/tasks.jsonl" in done.stderr


def test_a_parquet_file_that_is_cut_off_is_named(tmp_path: Path) -> None:
    (tmp_path / "cut.parquet").write_bytes(parquet(tmp_path / "made.parquet")[:-10])
    with pytest.raises(Misconfigured, match=r"cut\.parquet:1: "):
        list(read_rows(str(tmp_path / "cut.parquet")))
