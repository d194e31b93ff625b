"""A model server that ucoder starts: switched, killed, refused and verified, with real processes and sockets."""

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from ucoder.errors import Misconfigured, NotFound, Retry
from ucoder.models import Model, SamplingParameters, open_model
from ucoder.models.weights_probe import TRAINING_RESULT_FILE
from ucoder.runtime.settings import Settings

TINY = Path(__file__).parent / "tiny_server.py"
WARM = SamplingParameters(temperature=0.8, top_p=1, max_tokens=8)


def weights(folder: Path, score: float, trainer: float | None = None) -> str:
    """Makes a folder that the tiny server serves, with the score that its trainer measured."""
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps({"score": score}))
    if trainer is not None:
        (folder / TRAINING_RESULT_FILE).write_text(json.dumps({"probe_log_prob": trainer}))
    return str(folder)


@pytest.fixture
async def model(tmp_path: Path) -> AsyncIterator[Model]:
    model = open_model(
        Settings(
            model_url="vllm", model_command=f"{sys.executable} {TINY} {{model}} {{port}}", model_seconds=20,
            cache_dir=tmp_path / "cache",
        )
    )  # fmt: skip
    yield model
    await model.close()


def servers() -> list[int]:
    """Returns the process ids of the tiny servers that run."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            try:
                words = (entry / "cmdline").read_bytes().split(b"\0")
            except OSError:
                continue
            if str(TINY).encode() in words and b"-c" not in words:
                found.append(int(entry.name))
    return found


async def test_weights_are_switched_when_no_request_for_the_old_ones_is_under_way(model: Model, tmp_path: Path) -> None:
    one, other = weights(tmp_path / "one", -1.0), weights(tmp_path / "other", -2.0, trainer=-2.01)
    slow = asyncio.create_task(model.complete(one, "slow", n=3, sampling=WARM))
    while not await model.served():
        await asyncio.sleep(0.05)
    [found] = await model.complete(other, "def f", n=1, sampling=WARM)
    assert slow.done()  # it was not cut off
    assert [completion.text for completion in await slow] == [one] * 3
    assert found.text == other
    assert await model.served() == [other]
    assert (await model.score(one, "x")).mean_log_prob == -1.0  # and back
    assert len(servers()) == 1
    words = (tmp_path / "cache" / "model-server.log").read_text()
    assert words.count("tiny server with []") == 3  # it gets none of ucoder's settings


async def test_weights_other_than_the_trained_ones_are_noticed(model: Model, tmp_path: Path) -> None:
    wrong = weights(tmp_path / "wrong", -1.0, trainer=-1.5)
    for _ in range(2):
        with pytest.raises(Retry, match=r"scores -1\.000, the trainer measured -1\.500"):
            await model.complete(wrong, "def f", n=1, sampling=WARM)


async def test_a_base_that_changed_under_its_name_is_noticed(model: Model, tmp_path: Path) -> None:
    base, other = weights(tmp_path / "base", -1.0), weights(tmp_path / "other", -2.0)
    await model.serve(base)
    await model.serve(other)
    (Path(base) / "config.json").write_text('{"score": -3.0}')
    with pytest.raises(Retry, match="does not serve the weights"):
        await model.serve(base)


async def test_a_dead_server_is_started_again(model: Model, tmp_path: Path) -> None:
    one = weights(tmp_path / "one", -1.0)
    await model.serve(one)
    [before] = servers()
    os.kill(before, signal.SIGKILL)
    while servers():
        await asyncio.sleep(0.02)
    await asyncio.sleep(0.1)
    assert await model.complete(one, "def f", n=2, sampling=WARM)
    assert servers() != [before]


async def test_adapters_answer_beside_their_base(model: Model, tmp_path: Path) -> None:
    base = weights(tmp_path / "base", -1.0)
    names = []
    for number in (1, 2):
        name = weights(tmp_path / f"adapter{number}", -1.0 - number, trainer=-1.0 - number)
        (Path(name) / "adapter_config.json").write_text(json.dumps({"base_model_name_or_path": base}))
        names.append(name)
        await model.serve(name)
    assert await model.served() == [base, *names]
    scores = [(await model.score(name, "x")).mean_log_prob for name in (*names, base)]
    assert scores == [-2.0, -3.0, -1.0]
    [pid] = servers()
    os.kill(pid, signal.SIGKILL)
    while servers():
        await asyncio.sleep(0.02)
    await asyncio.sleep(0.1)
    assert (await model.score(names[1], "x")).mean_log_prob == -3.0  # loaded again


async def test_checkpoints_that_cannot_be_served_are_named(
    model: Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = weights(tmp_path / "one", -1.0)
    await model.serve(one)
    [pid] = servers()
    with pytest.raises(NotFound, match=r"config\.json"):
        await model.serve(str(tmp_path / "nowhere"))
    assert servers() == [pid]  # a wrong name does not stop the running server
    monkeypatch.setenv("TINY_REFUSES", "1")
    with pytest.raises(Misconfigured, match=r"code 1 before it answered: ValueError: the model is too tiny"):
        await model.serve(weights(tmp_path / "two", -1.0))
    assert servers() == []
    assert await model.served() == []
    monkeypatch.delenv("TINY_REFUSES")
    await model.serve(one)


@pytest.mark.parametrize(
    ("command", "message"),
    [
        ("vllm serve {model}", "UCODER_MODEL_COMMAND.*needs {model} and {port}"),
        (
            "no-such-program {model} {port}",
            "no-such-program is not installed: pip install 'ucoder.vllm.' or set UCODER_MOD",
        ),
        ("vllm {modle} {port}", "UCODER_MODEL_COMMAND.*modle"),
        ("vllm '{model} {port}", "UCODER_MODEL_COMMAND.*quotation"),
    ],
)
def test_a_wrong_command_is_named(command: str, message: str) -> None:
    with pytest.raises(Misconfigured, match=message):
        open_model(Settings(model_url="vllm", model_command=command))


async def test_a_program_that_pip_put_beside_the_interpreter_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    command = f"{Path(sys.executable).name} {TINY} {{model}} {{port}}"
    model = open_model(Settings(model_url="vllm", model_command=command, cache_dir=tmp_path))
    await model.serve(weights(tmp_path / "one", -1.0))
    assert len(servers()) == 1
    await model.close()


async def test_the_server_ends_with_a_parent_that_was_killed(tmp_path: Path) -> None:
    code = f"""
import asyncio
from ucoder.models import open_model
from ucoder.runtime.settings import load
async def main():
    await open_model(load()).serve({weights(tmp_path / "one", -1.0)!r})
    print("up", flush=True)
    await asyncio.sleep(60)
asyncio.run(main())
"""
    told = {
        "UCODER_MODEL_URL": "vllm", "UCODER_CACHE_DIR": str(tmp_path),
        "UCODER_MODEL_COMMAND": f"{sys.executable} {TINY} {{model}} {{port}}",
    }  # fmt: skip
    parent = await asyncio.create_subprocess_exec(
        sys.executable, "-c", code, stdout=asyncio.subprocess.PIPE, env={**os.environ, **told}
    )
    assert parent.stdout is not None
    async for line in parent.stdout:
        if line == b"up\n":
            break
    assert len(servers()) == 1
    parent.kill()
    await parent.wait()
    async with asyncio.timeout(10):
        while servers():
            await asyncio.sleep(0.05)
