"""Tests of the store on a folder and on a real S3 server: keys written once, whole reads, named errors."""

import asyncio
import os
import shutil
import tempfile
import tracemalloc
import zlib
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from tests.s3 import KEYS, s3_server

from ucoder.errors import Conflict, Misconfigured, NotFound, Reject, Retry
from ucoder.models.weights_probe import TRAINING_RESULT_FILE, trained_log_prob
from ucoder.runtime.settings import Settings
from ucoder.runtime.storage.artifacts import FORMAT, MAX_BYTES, Artifacts
from ucoder.runtime.storage.store import Store
from ucoder.v1 import artifacts_pb2 as pb


@pytest.fixture
async def s3(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[str]:
    """The endpoint of a real S3 server with one bucket."""
    for name, value in KEYS.items():
        monkeypatch.setenv(name, value)
    async with s3_server(tmp_path) as endpoint:
        yield endpoint


@pytest.fixture(params=["file", "s3"])
def store(request: pytest.FixtureRequest, make_settings: Callable[..., Settings]) -> Store:
    """A store on a folder, and one on S3."""
    if request.param == "file":
        return Store(make_settings())
    endpoint = request.getfixturevalue("s3")
    return Store(make_settings(store_url="s3://artefacts", store_endpoint=endpoint))


async def created(store: Store, key: str, data: bytes) -> bool:
    """Creates a key; waits for the bucket of a server that has just started."""
    async with asyncio.timeout(30):
        while True:
            try:
                return await store.create(key, data)
            except Retry:
                await asyncio.sleep(0.3)


def test_many_processes_may_open_a_folder_at_once(make_settings: Callable[..., Settings]) -> None:
    settings = make_settings()
    with ThreadPoolExecutor(16) as pool:
        list(pool.map(lambda _: Store(settings), range(400)))  # like the replicas of a service that start together


async def test_the_first_writer_wins_and_folders_are_copied_whole(store: Store, tmp_path: Path) -> None:
    assert await created(store, "a/b", b"first")
    assert not await store.create("a/b", b"second")
    assert await store.get("a/b") == b"first"
    won = await asyncio.gather(*(store.create("race", str(i).encode()) for i in range(20)))
    assert sum(won) == 1
    with pytest.raises(NotFound):
        await store.get("a/absent")
    assert await store.keys("a") == ["a/b"]

    folder = tmp_path / "weights"
    (folder / "deep").mkdir(parents=True)
    (folder / "config.json").write_text("{}")
    (folder / "deep" / "model.bin").write_bytes(b"\0" * 1000)
    await store.put_folder(folder, "run/weights/001")
    found = await store.local_folder("run/weights/001")
    assert (found / "config.json").read_text() == "{}"
    assert (found / "deep" / "model.bin").stat().st_size == 1000
    assert await store.get_from_folder("run/weights/001", "config.json") == b"{}"
    await store.get_folder("run/weights/001", tmp_path / "out" / "copy")
    assert (tmp_path / "out" / "copy" / "deep" / "model.bin").stat().st_size == 1000
    with pytest.raises(NotFound):
        await store.get_folder("run/weights/002", tmp_path / "out" / "none")
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["copy"]


async def test_one_of_several_folder_writers_wins(store: Store, tmp_path: Path) -> None:
    assert await created(store, "a/b", b"x")
    folders = [tmp_path / name for name in ("one", "two", "three")]
    for folder in folders:
        folder.mkdir()
        for name in ("config.json", "model.bin", f"{folder.name}.bin"):
            (folder / name).write_text(folder.name)
    await asyncio.gather(*(store.put_folder(folder, "run/weights/001") for folder in folders))
    await store.put_folder(tmp_path / "nothing here any more", "run/weights/001")
    found = await asyncio.gather(*(store.local_folder("run/weights/001") for _ in range(5)))
    assert len({*found}) == 1
    winner = (found[0] / "config.json").read_text()
    assert {path.name: path.read_text() for path in found[0].iterdir()} == {
        "config.json": winner,
        "model.bin": winner,
        f"{winner}.bin": winner,
    }
    left = [key for key in await store.keys("run") if not key.endswith("DONE")]
    assert len(left) == 3, "the files of the other writers are removed"
    assert not list(tmp_path.glob("*/folders/.aside/*"))


async def test_the_trainers_log_probability_is_read_from_the_store(store: Store, tmp_path: Path) -> None:
    """The weights of a model server are checked with it."""
    assert await created(store, "a/b", b"x")
    (tmp_path / "made").mkdir()
    (tmp_path / "made" / TRAINING_RESULT_FILE).write_text('{"probe_log_prob": -2.5}')
    await store.put_folder(tmp_path / "made", "run/weights/001")
    assert await trained_log_prob("store:run/weights/001", store) == -2.5
    assert await trained_log_prob("store:run/weights/002", store) is None


async def test_an_incomplete_folder_does_not_exist(
    s3: str, make_settings: Callable[..., Settings], tmp_path: Path
) -> None:
    """A writer crashed halfway; the folder of the next writer has none of its files."""
    store = Store(make_settings(store_url="s3://artefacts", store_endpoint=s3))
    assert await created(store, "run/weights/001/0123/config.json", b"half")
    with pytest.raises(NotFound):
        await store.local_folder("run/weights/001")
    with pytest.raises(NotFound):
        await store.get_from_folder("run/weights/001", "config.json")
    with pytest.raises(Retry, match="holds no file"):
        await store.put_folder(tmp_path / "nowhere", "run/weights/001")
    (tmp_path / "made").mkdir()
    (tmp_path / "made" / "model.bin").write_text("whole")
    await store.put_folder(tmp_path / "made", "run/weights/001")
    assert [path.name for path in (await store.local_folder("run/weights/001")).iterdir()] == ["model.bin"]
    assert len(await store.keys("run")) == 2

    old = ("run/weights/000/config.json", "run/weights/000/DONE")  # the layout before each writer had a name
    for key in old:
        await store.create(key, b"")
    assert (await store.local_folder("run/weights/000") / "config.json").is_file()


async def test_a_folder_from_another_disk_is_never_seen_half_copied(
    make_settings: Callable[..., Settings], tmp_path: Path
) -> None:
    with tempfile.TemporaryDirectory(dir="/dev/shm", prefix="ucoder-") as elsewhere:
        if os.stat(elsewhere).st_dev == os.stat(tmp_path).st_dev:
            pytest.skip("/dev/shm is on the same disk here")
        made = Path(elsewhere, "made")
        made.mkdir()
        for number in range(200):
            (made / f"{number}.bin").write_bytes(bytes(20_000))
        store = Store(make_settings())
        putting = asyncio.create_task(store.put_folder(made, "run/weights/001"))
        while not putting.done():
            assert len(await store.keys("run")) in (0, 200)
        await putting
        assert len(await store.keys("run")) == 200
        assert not list((tmp_path / "store" / ".aside").iterdir())


async def test_put_file_replaces_and_remove_removes(store: Store, tmp_path: Path) -> None:
    assert await created(store, "a/b", b"first")
    file = tmp_path / "state"
    for text in ("one", "two"):
        file.write_text(text)
        await store.put_file(file, "a/state")
    assert await store.get_file("a/state", tmp_path / "copy")
    assert (tmp_path / "copy").read_text() == "two"
    await store.remove("a/state")
    await store.remove("a/state")
    assert not await store.get_file("a/state", tmp_path / "none")
    assert not (tmp_path / "none").exists()
    assert await store.keys("a") == ["a/b"]


async def test_an_artefact_is_written_once_and_read_as_written(make_settings: Callable[..., Settings]) -> None:
    artifacts = Artifacts(Store(make_settings()))
    brief = pb.Brief(run="r", iteration=1, number=2, domain="algorithms")
    ref = await artifacts.save("r", brief)
    assert ref.name == "001-000002"
    again = await artifacts.save("r", pb.Brief(run="r", iteration=1, number=2, domain="other"))
    assert again == ref
    assert await artifacts.load(ref) == brief
    assert await artifacts.names("r", "brief", "001-") == ["001-000002"]


@pytest.mark.parametrize("damage", [lambda data: data[:-3], lambda data: b"junk", lambda data: b""])
async def test_a_damaged_artefact_is_refused(
    make_settings: Callable[..., Settings], tmp_path: Path, damage: Callable[[bytes], bytes]
) -> None:
    artifacts = Artifacts(Store(make_settings()))
    ref = await artifacts.save("r", pb.Brief(run="r", iteration=1, number=2, domain="algorithms"))
    file = tmp_path / "store" / "r" / "brief" / "001-000002.binpb.z"
    file.write_bytes(damage(file.read_bytes()))
    with pytest.raises(Reject, match="corrupt"):
        await artifacts.load(ref)
    with pytest.raises(Reject):
        await artifacts.get(pb.Brief, "r", "001-000002")


async def test_an_artefact_that_unpacks_too_large_is_refused_early(
    make_settings: Callable[..., Settings], tmp_path: Path
) -> None:
    artifacts = Artifacts(Store(make_settings()))
    ref = await artifacts.save("r", pb.Brief(run="r", iteration=1, number=2, domain="algorithms"))
    packer = zlib.compressobj(9)
    bomb = b"".join(packer.compress(bytes(MAX_BYTES // 8)) for _ in range(24)) + packer.flush()
    (tmp_path / "store" / "r" / "brief" / "001-000002.binpb.z").write_bytes(bomb)
    tracemalloc.start()
    try:
        with pytest.raises(Reject, match="larger than"):
            await artifacts.get(pb.Brief, "r", ref.name)
        assert tracemalloc.get_traced_memory()[1] < 2.5 * MAX_BYTES, "the artefact would unpack to three times as much"
    finally:
        tracemalloc.stop()


def test_a_store_that_cannot_be_written_is_named(make_settings: Callable[..., Settings], tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(Misconfigured, match="cannot be written"):
        Store(make_settings(store_url=f"file://{tmp_path / 'file' / 'store'}"))
    with pytest.raises(Misconfigured, match="UCODER_STORE_URL"):
        Store(make_settings(store_url="gopher://x"))


async def test_a_run_of_another_version_is_refused(make_settings: Callable[..., Settings]) -> None:
    artifacts = Artifacts(Store(make_settings()))
    await artifacts.save("old", pb.Run(id="old", format=FORMAT + 1))
    with pytest.raises(Conflict, match=f"run old has format {FORMAT + 1}; this version of ucoder reads {FORMAT}"):
        await artifacts.get(pb.Run, "old", "000")


async def test_a_store_that_is_gone_raises_retry(make_settings: Callable[..., Settings], tmp_path: Path) -> None:
    store = Store(make_settings())
    shutil.rmtree(tmp_path / "store")
    (tmp_path / "store").write_text("in the way")
    with pytest.raises(Retry, match="is gone"):
        await store.create("a", b"x")
    with pytest.raises(Retry, match="is gone"):
        await store.get("a")


async def test_temporary_files_and_files_outside_the_store_are_not_visible(
    make_settings: Callable[..., Settings], tmp_path: Path
) -> None:
    store = Store(make_settings())
    assert await store.create("a/b", b"x")
    old, recent = tmp_path / "store" / ".aside" / "0123", tmp_path / "store" / ".aside" / "4567"
    for half in (old, recent):
        half.write_text("half")
    os.utime(old, (0, 0))
    (tmp_path / "secret").write_text("s")
    assert await store.keys("a") == await store.keys("") == ["a/b"]
    assert await store.keys("none") == []
    for key in ("../secret", "a/../../secret", str(tmp_path / "secret"), "a", "a/b/c"):
        with pytest.raises(NotFound):
            await store.get(key)
    with pytest.raises(NotFound):
        await store.create("../other", b"x")
    with pytest.raises(Retry, match="in the way"):
        await store.create("a/b/c", b"x")
    assert [path.name for path in (tmp_path / "store" / "a").iterdir()] == ["b"]
    Store(make_settings())
    assert list((tmp_path / "store" / ".aside").iterdir()) == [recent], "the next process removes abandoned files"


async def test_a_busy_folder_costs_a_few_threads(make_settings: Callable[..., Settings]) -> None:
    """The threads of obstore's local store would grow to hundreds."""
    store, before = Store(make_settings()), len(os.listdir("/proc/self/task"))
    await asyncio.gather(*(store.create(f"a/{number % 500}", b"x") for number in range(4000)))
    assert len(await store.keys("a")) == 500
    assert len(os.listdir("/proc/self/task")) <= before + 8
