"""Tests of the pod kind: which cell has which cell container. tests/helm/test_cell.py talks to a real one."""

from pathlib import Path

import pytest

from ucoder.sandbox_runner.isolation import pod
from ucoder.sandbox_runner.isolation.boundary import NoIsolation, Root

ROOT = Root(Path("/"), Path("/guest"), "python3", None, None, "0")


def test_without_cell_containers_it_is_missing_and_says_why() -> None:
    assert pod.missing() == "no cell container's folder is mounted below /run/ucoder"


def test_a_cell_container_serves_one_cell_at_a_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pod, "CELLS_FOLDER", tmp_path)
    for number in range(2):
        (tmp_path / f"cell-{number}").mkdir()
    first = pod.launch(ROOT, "a", tmp_path, "", 0)
    second = pod.launch(ROOT, "b", tmp_path, "", 7)
    assert str(tmp_path / "cell-0" / "cell.sock") in first.command
    assert second.command[-2:] == (str(tmp_path / "cell-1" / "cell.sock"), "7")
    with pytest.raises(NoIsolation, match="all 2 cell containers"):
        pod.launch(ROOT, "c", tmp_path, "", 0)
    first.dispose()
    again = pod.launch(ROOT, "d", tmp_path, "", 0)
    assert again.command == first.command
    again.dispose()
    second.dispose()
