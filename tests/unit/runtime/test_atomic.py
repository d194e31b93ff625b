"""Tests that atomic writes show all or nothing and replace what a killed process left."""

from pathlib import Path

import pytest

from ucoder.runtime.atomic import atomic_file, atomic_folder, partial_path, write_text


@pytest.mark.parametrize("durable", [False, True])
def test_a_file_appears_when_it_is_complete(tmp_path: Path, durable: bool) -> None:
    path = tmp_path / "report.json"
    partial_path(path).mkdir()  # left by a killed process
    with atomic_file(path, durable=durable) as temporary:
        temporary.write_text("new")
        assert not path.exists()
    assert path.read_text() == "new"
    write_text(path, "newer")
    assert path.read_text() == "newer"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("durable", [False, True])
def test_a_folder_appears_when_it_is_complete(tmp_path: Path, durable: bool) -> None:
    path = tmp_path / "deep" / "checkpoint"
    partial_path(path).mkdir(parents=True)
    (partial_path(path) / "left.bin").write_text("by a killed process")
    with atomic_folder(path, durable=durable) as temporary:
        (temporary / "weights.bin").write_text("new")
        assert not path.exists()
    assert [file.name for file in path.iterdir()] == ["weights.bin"]
    assert list(path.parent.iterdir()) == [path]


def write_half(path: Path) -> None:
    """Writes a file and fails, like a program on a full disk."""
    path.write_text("half")
    raise OSError("disk full")


def test_a_failure_leaves_nothing_behind(tmp_path: Path) -> None:
    path = tmp_path / "report.json"
    write_text(path, "old")
    with pytest.raises(OSError, match="disk full"), atomic_file(path) as temporary:
        write_half(temporary)
    with pytest.raises(OSError, match="disk full"), atomic_folder(tmp_path / "folder") as temporary:
        write_half(temporary / "weights.bin")
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]
