"""Tests which copies of checkpoints a cache keeps, and what it says when its disk is full. The bucket is in memory."""

import os
from pathlib import Path

import pytest

from ucoder.runtime.storage.bucket_store import CACHED, BucketStore

SIZE = 1000


class SmallDisk(BucketStore):
    """A bucket whose cache lies on a disk of a few kilobytes."""

    def __init__(self, cache: Path, capacity: int) -> None:
        super().__init__("memory:///", "", cache)
        self.folder, self.capacity = cache, capacity

    def _free_bytes(self) -> int:
        return self.capacity - sum(path.stat().st_size for path in self.folder.rglob("*") if path.is_file())

    def cached(self) -> list[str]:
        return sorted(path.name for path in self.folder.glob("run/weights/*"))

    async def fetch(self, number: int, *keep: str) -> None:
        """Fetches a checkpoint, as a pod does that is rolled to it."""
        folder = await self.local_folder(f"run/weights/{number:03d}", {f"run/weights/{name}" for name in keep})
        os.utime(folder, (number, number))


async def stored(cache: Path, capacity: int) -> SmallDisk:
    bucket = SmallDisk(cache, capacity)
    for number in range(9):
        await bucket.create(f"run/weights/{number:03d}/own/model.bin", bytes(SIZE))
        await bucket.create(f"run/weights/{number:03d}/DONE", b"own")
    return bucket


async def test_the_best_and_those_used_last_stay(tmp_path: Path) -> None:
    bucket = await stored(tmp_path, 100 * SIZE)
    for number in range(9):
        await bucket.fetch(number, "001")
        assert len(bucket.cached()) <= CACHED
    assert bucket.cached() == ["001", "004", "005", "006", "007", "008"]


async def test_room_is_made_before_a_download(tmp_path: Path) -> None:
    bucket = await stored(tmp_path, 3 * SIZE)
    for number in range(4):
        await bucket.fetch(number, "000")
    assert bucket.cached() == ["000", "002", "003"]


async def test_a_full_disk_is_named_and_the_best_stays(tmp_path: Path) -> None:
    bucket = await stored(tmp_path, 2 * SIZE - 1)
    await bucket.fetch(0, "000")
    with pytest.raises(OSError, match=r"the disk of .* has 0\.0 GB free and the folder needs 0\.0 GB; make the disk"):
        await bucket.fetch(1, "000")
    assert bucket.cached() == ["000"]
    await bucket.fetch(1)
    assert bucket.cached() == ["001"]
