"""`ucoder run` as a whole: the shipped model, a real bus, a real sandbox, real gradient steps, real SIGKILLs."""

import json
import os
import random
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import pyarrow.parquet as pq
import pytest
import yaml

from ucoder_development.seed_benchmark import evaluation_of_few_tasks

BRIEFS = 10
PAIRS = 4
KILLS = 4


@pytest.fixture
def mark() -> Iterator[str]:
    """A variable that every process of the test inherits; at the end none of them may be running."""
    name = f"E2E_MARK={uuid.uuid4()}"
    yield name
    deadline = time.monotonic() + 20
    while (left := marked(name)) and time.monotonic() < deadline:
        time.sleep(0.2)
    assert left == []


def marked(mark: str) -> list[str]:
    """Returns the command lines of running processes that inherited the mark."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if (
                mark.encode() in (folder / "environ").read_bytes()
                and "Z" not in (folder / "stat").read_text().split()[2]
            ):
                found.append((folder / "cmdline").read_text().replace("\0", " "))
        except OSError:
            continue
    return found


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """The demo made small: ten briefs and a few of the benchmark's tasks."""
    file = tmp_path / "small.yaml"
    small = {
        "loop": {"briefs": BRIEFS, "iterations": 1, "control": False, "pairs": PAIRS},
        "candidates": {"n": 12, "adaptive": True},
        "tests": {"fill": True},
        "evaluation": evaluation_of_few_tasks(tmp_path, 20) | {"samples": 2, "dev_samples": 2},
        "selection": {"min_confidence": 0.0},
    }
    file.write_text(yaml.safe_dump(small))
    return file


def command(*words: str) -> list[str]:
    return [sys.executable, "-m", "ucoder", *words]


def environment(mark: str) -> dict[str, str]:
    name, _, value = mark.partition("=")
    return {**os.environ, name: value}


def artefacts(out: Path) -> dict[str, tuple[int, int]]:
    """Returns size and time of every finished artefact and weights file in the store."""
    store = out / "store"
    return {
        str(path.relative_to(store)): (path.stat().st_size, path.stat().st_mtime_ns)
        for path in store.rglob("*")
        if ".aside" not in path.parts and path.is_file()
    }


def check_report(out: Path) -> None:
    """Checks that every brief ended once, and that every selected one is one row that names it."""
    report = json.loads((out / "report.json").read_text())
    [one] = report["iterations"]
    assert one["briefs"] == BRIEFS
    assert one["selected"] + one["abstained"] + sum(one["dropped"].values()) == BRIEFS
    endings = sorted(path.name for path in (out / "store/run/consensus").iterdir())
    assert len(endings) == BRIEFS
    rows = pq.read_table(out / "store/run/data/001.parquet").to_pylist()
    assert len(rows) == len({row["brief"] for row in rows}) == one["selected"]
    assert {f"{row['brief']}.binpb.z" for row in rows} <= set(endings)
    assert (one["ended_by"], one["selected"] >= PAIRS) == ("pairs", True)
    sampling = one["sampling"]
    assert sampling["programs"] == pytest.approx((1 - sampling["saved"]) * sampling["fixed"])
    assert 0 <= report["base"]["pass_at_1"] <= 1
    assert "<svg" in (out / "report.html").read_text()


def test_a_run_ends_with_a_report_whose_numbers_add_up(tmp_path: Path, config: Path, mark: str) -> None:
    out = tmp_path / "run"
    done = subprocess.run(
        command("run", "--preset", "demo", "--config", str(config), "--out", str(out)),
        env=environment(mark), capture_output=True, text=True, timeout=280, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    check_report(out)
    row = pq.read_table(out / "store/run/data/001.parquet").to_pylist()[0]
    traced = subprocess.run(
        command("trace", row["brief"], "--out", str(out)), capture_output=True, text=True, timeout=60, check=True
    )
    assert row["entry_point"] in traced.stdout
    assert "selected at consensus" in traced.stdout
    again = subprocess.run(
        command("run", "--preset", "demo", "--out", str(out)), capture_output=True, text=True, timeout=60, check=False
    )
    assert again.returncode == 2
    assert "add --resume" in again.stderr


def test_a_run_killed_at_any_moment_continues_where_it_was(tmp_path: Path, config: Path, mark: str) -> None:
    out = tmp_path / "run"
    first = command("run", "--preset", "demo", "--config", str(config), "--out", str(out))
    resumed = command("run", "--resume", "--out", str(out))
    moments = random.Random(7)
    seen: dict[str, tuple[int, int]] = {}
    for kill in range(KILLS):
        process = subprocess.Popen(
            first if kill == 0 else resumed,
            env=environment(mark), start_new_session=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        before, patience = len(artefacts(out)) if out.exists() else 0, time.monotonic() + 120
        while len(artefacts(out)) - before < 6 and process.poll() is None and time.monotonic() < patience:
            time.sleep(0.05)
        time.sleep(moments.uniform(0, 1.5))
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        now = artefacts(out)
        assert {name: now.get(name) for name in seen} == seen, "a finished artefact was made again"
        seen = now
    done = subprocess.run(resumed, env=environment(mark), capture_output=True, text=True, timeout=280, check=False)
    assert done.returncode == 0, done.stderr
    now = artefacts(out)
    assert {name: now.get(name) for name in seen} == seen, "a finished artefact was made again"
    check_report(out)
